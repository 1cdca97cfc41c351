package delivery

import (
	"fmt"
	"strings"
	"time"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// sentences tells occurrences to people.
type sentences struct {
	push     storage.Push
	progress storage.Progress
	trigger  *policy.Trigger // nil without a usable policy
}

func (s *Service) sentencesFor(history storage.History) sentences {
	told := sentences{push: history.Push, progress: history.Recipient.Progress}
	if pinned, err := s.compiled.get(history.Push.Policy); err == nil {
		told.trigger = &pinned.Policy.Trigger
	}
	return told
}

// stamp is a time to the second.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// at tells when something was; nothing if that is not known.
func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + stamp(t)
}

func stepName(step int) string {
	if step == 0 {
		return "The first sending"
	}
	return fmt.Sprintf("Step %d", step)
}

func (s sentences) policy() string {
	if s.push.Policy == nil {
		return "without a resend policy"
	}
	return fmt.Sprintf("with resend policy %s at revision %d", s.push.Policy.Name, s.push.Policy.Revision)
}

func (s sentences) accepted() string {
	if s.push.External {
		return fmt.Sprintf("The push was not made through Susul; it became known%s, %s.", at(s.push.CreateTime), s.policy())
	}
	return fmt.Sprintf("The push was accepted%s, %s.", at(s.push.CreateTime), s.policy())
}

func (s sentences) planned(o Occurrence) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s was planned%s, %s", stepName(o.Step), at(o.Time), s.policy())
	if o.Variant != "" {
		fmt.Fprintf(&text, ", variant %s", o.Variant)
	}
	if o.PlainContent {
		text.WriteString(", with the plain content, since a template failed")
	}
	if o.DueTime.After(o.Time) {
		fmt.Fprintf(&text, "; quiet hours deferred it to %s", stamp(o.DueTime))
	}
	return text.String() + "."
}

func (s sentences) sent(o Occurrence) string {
	return fmt.Sprintf("%s was taken by EngageLab%s, as message %s.", stepName(o.Step), at(o.Time), o.UpstreamID)
}

func (s sentences) queued(o Occurrence, d storage.Dispatch) string {
	switch d.State {
	case storage.DispatchBlocked:
		return fmt.Sprintf("%s waits until EngageLab has taken the first part of the push.", stepName(o.Step))
	case storage.DispatchSending:
		return fmt.Sprintf("%s was handed to EngageLab, which has not said yet whether it took it.", stepName(o.Step))
	default:
		return fmt.Sprintf("%s is queued; it is due%s.", stepName(o.Step), at(o.Time))
	}
}

func (s sentences) unsent(o Occurrence, d storage.Dispatch) string {
	name, state := stepName(o.Step), stateFor(d)
	switch {
	case state == storage.DispatchRefused && d.Refusal != nil:
		return fmt.Sprintf("%s was refused by EngageLab with code %d: %s.", name, d.Refusal.Code,
			strings.TrimSuffix(d.Refusal.Message, "."))
	case state == storage.DispatchRefused:
		return fmt.Sprintf("%s was refused by EngageLab.", name)
	case state == storage.DispatchUnanswered:
		return fmt.Sprintf("Whether EngageLab took %s was never learnt.", strings.ToLower(name))
	case state == storage.DispatchExpired:
		return fmt.Sprintf("%s expired%s, before EngageLab could take it.", name, at(o.Time))
	default:
		return fmt.Sprintf("%s did not go out: %s.", name, cancelWords(d.Reason))
	}
}

func (s sentences) passedOver(o Occurrence) string {
	return fmt.Sprintf("%s passed this recipient over%s: %s.", stepName(o.Step), at(o.Time),
		s.passOverWords(storage.Reason(o.Reason)))
}

func (s sentences) cancelled(o Occurrence) string {
	return fmt.Sprintf("%s was cancelled for everybody: %s.", stepName(o.Step), cancelWords(storage.Reason(o.Reason)))
}

func (s sentences) held(o Occurrence) string {
	return fmt.Sprintf("%s is held since %s: EngageLab has told less than it knows of who reacted.", stepName(o.Step), stamp(o.Time))
}

func (s sentences) scheduled(o Occurrence) string {
	if o.Time.IsZero() {
		return fmt.Sprintf("%s waits for the first sending.", stepName(o.Step))
	}
	text := fmt.Sprintf("%s is to be planned%s", stepName(o.Step), at(o.Time))
	if s.trigger != nil && !s.trigger.Holds(s.progress) {
		text += ", but as things stand not for this recipient: " + s.passOverWords(storage.ReasonMilestoneReached)
	}
	return text + "."
}

func (s sentences) reported(event *storage.Event) string {
	what := event.Milestone.String()
	if event.Milestone == storage.MilestoneUnknown {
		what = fmt.Sprintf("the status %q, which Susul has no name for,", event.Status)
	}
	text := fmt.Sprintf("EngageLab reported %s%s for %s", what, at(event.Time), strings.ToLower(stepName(event.Step)))
	if event.ErrorMessage != "" || event.ErrorCode != 0 {
		text += fmt.Sprintf(", with code %d: %s", event.ErrorCode, strings.TrimSuffix(event.ErrorMessage, "."))
	}
	return strings.TrimRight(text, ": ") + "."
}

// passOverWords says why a recipient is passed over.
func (s sentences) passOverWords(reason storage.Reason) string {
	switch reason {
	case storage.ReasonMilestoneReached:
		switch {
		case s.trigger == nil:
			return "the trigger's condition did not hold"
		case s.trigger.OnFailure:
			return "nothing had failed, or something was delivered after all"
		default:
			return fmt.Sprintf("%s had been reached", s.trigger.Unless)
		}
	case storage.ReasonInvalidDevice:
		return "its token is dead"
	case storage.ReasonConditionFalse:
		return "the step's only_if was not true"
	case storage.ReasonConditionFailed:
		return "the step's only_if could not be evaluated"
	case storage.ReasonLimitExpired:
		return "it would have been later than the policy's expire_after"
	case storage.ReasonFrequencyCap:
		return "the device had as many messages as the policy's frequency_cap allows"
	case storage.ReasonMinimumGap:
		return "the last message to the device was not as long ago as the policy's minimum_gap asks"
	case storage.ReasonQuietHours:
		return "it was due in the recipient's quiet hours"
	case storage.ReasonHoldout:
		return "the policy's holdout keeps it from all follow-ups"
	case storage.ReasonStepHoldout:
		return "the step's holdout keeps it from this one"
	case storage.ReasonTemplateFailed:
		return "a template failed, and there was nothing to send instead"
	default:
		return string(reason)
	}
}

// cancelWords says why a step or a request was cancelled.
func cancelWords(reason storage.Reason) string {
	switch reason {
	case storage.ReasonPolicyPaused:
		return "the resend policy was paused"
	case storage.ReasonStepPaused:
		return "the step was paused"
	case storage.ReasonFollowUpsStopped:
		return "the app's follow-ups were stopped"
	case storage.ReasonUnknownProgress:
		return "who had reacted could not be found out in time"
	case storage.ReasonNobodyLeft:
		return "nobody was left to send it to"
	case storage.ReasonSuperseded:
		return "a later step was due when it could have gone out"
	case storage.ReasonPolicyDeleted:
		return "the resend policy was deleted"
	case storage.ReasonWithdrawn:
		return "the push was withdrawn"
	case storage.ReasonRejected:
		return "EngageLab refused the push"
	case storage.ReasonExpired:
		return "its time to live ended before EngageLab could take it"
	case storage.ReasonUnanswered:
		return "whether EngageLab took an earlier request was never learnt"
	case storage.ReasonUnknownApp:
		return "the configuration had lost the app"
	case storage.ReasonUnusable:
		return "what is stored of the push or its policy could not be used"
	default:
		return string(reason)
	}
}
