package subscription

import (
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"susul.dev/susul/server/expression"
	"susul.dev/susul/storage"
)

// Filter is a compiled CEL expression over an event and its push. It is immutable.
type Filter struct {
	expression *expression.Expression
}

// filterEnvironment is what filters see.
var filterEnvironment = expression.NewEnvironment(
	cel.Variable("event.milestone", cel.StringType),
	cel.Variable("event.status", cel.StringType),
	cel.Variable("event.step", cel.IntType),
	cel.Variable("event.variant", cel.StringType),
	cel.Variable("event.registration_id", cel.StringType),
	cel.Variable("event.error_code", cel.IntType),
	cel.Variable("event.error_message", cel.StringType),
	cel.Variable("event.channel", cel.StringType),
	cel.Variable("event.loss_source", cel.StringType),
	cel.Variable("event.time", cel.TimestampType),
	cel.Variable("event.receive_time", cel.TimestampType),
	cel.Variable("push.msg_id", cel.StringType),
	cel.Variable("push.request_id", cel.StringType),
	cel.Variable("push.plan_id", cel.StringType),
	cel.Variable("push.platform", cel.ListType(cel.StringType)),
	cel.Variable("push.extras", cel.MapType(cel.StringType, cel.DynType)),
	cel.Variable("push.external", cel.BoolType),
	cel.Variable("push.resend_policy", cel.StringType),
	cel.Variable("custom_args", cel.DynType),
)

// CompileFilter compiles a filter. The error says what is wrong with it, and where.
func CompileFilter(source string) (*Filter, error) {
	x, err := filterEnvironment.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Filter{x}, nil
}

// Matches reports whether the filter selects an event. A nil filter selects all. An error says that it can't be evaluated, for want of
// a member for example, and does not select.
func (f *Filter) Matches(e *storage.Event, p *Push) (bool, error) {
	if f == nil {
		return true, nil
	}
	return f.expression.Holds(&told{e, p})
}

// milestones are the milestones as CEL has them: nearly every filter asks.
var milestones = [...]types.String{
	storage.MilestoneUnknown: "",
	storage.Sent:             types.String(storage.Sent.String()),
	storage.Delivered:        types.String(storage.Delivered.String()),
	storage.Displayed:        types.String(storage.Displayed.String()),
	storage.Clicked:          types.String(storage.Clicked.String()),
	storage.Failed:           types.String(storage.Failed.String()),
}

// told is an event and its push as CEL sees them: an expression pays for what it asks, not for all that it could.
type told struct {
	event *storage.Event
	push  *Push
}

// Parent implements cel.Activation.
func (*told) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (t *told) ResolveName(name string) (any, bool) {
	switch name {
	case "event.milestone":
		if milestone := t.event.Milestone; int(milestone) < len(milestones) {
			return milestones[milestone], true
		}
		return "", true
	case "event.status":
		return t.event.Status, true
	case "event.step":
		return t.event.Step, true
	case "event.variant":
		return t.event.Variant, true
	case "event.registration_id":
		return t.event.RegistrationID, true
	case "event.error_code":
		return t.event.ErrorCode, true
	case "event.error_message":
		return t.event.ErrorMessage, true
	case "event.channel":
		return t.event.Channel, true
	case "event.loss_source":
		return t.event.LossSource, true
	case "event.time":
		return t.event.Time, true
	case "event.receive_time":
		return t.event.ReceiveTime, true
	case "push.msg_id":
		return strconv.FormatInt(t.push.ID, 10), true
	case "push.request_id":
		return t.push.RequestID, true
	case "push.plan_id":
		return t.push.PlanID, true
	case "push.platform":
		return t.push.Platform, true
	case "push.extras":
		return t.push.Extras, true
	case "push.external":
		return t.push.External, true
	case "push.resend_policy":
		return t.push.Policy, true
	case "custom_args":
		return t.push.CustomArgs, true
	}
	return nil, false
}
