package api

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// maxStatusIDs is how many ids EngageLab takes in one question.
const maxStatusIDs = 100

// v4StatusDetail answers with the chain's totals: a recipient counts once, whichever step reached it. Of ids that Susul
// does not know, EngageLab is asked; those that it does not know either are left out.
func (a *API) v4StatusDetail(call v4Call) (any, error) {
	answer := map[string]engagelab.StatusDetail{}
	elsewhere, err := call.reports("message_ids", func(text string, report storage.Report) {
		answer[text] = statusDetail(report.Total)
	})
	if err != nil || len(elsewhere) == 0 {
		return answer, err
	}
	if len(answer) == 0 {
		return nil, errElsewhere
	}
	if details, err := call.core.ElsewhereStatus(call.Context(), call.app, elsewhere); err == nil {
		maps.Copy(answer, details) // while EngageLab can't be reached, what is known is better than nothing
	}
	return answer, nil
}

// v4StatusBatch answers with the state of each message, in order, then with what EngageLab says of those that Susul does
// not know. A message of a batch has one target; of any other, the recipient who got furthest counts. The answer's shape
// is that of EngageLab's SDKs.
func (a *API) v4StatusBatch(call v4Call) (any, error) {
	var answer []any
	elsewhere, err := call.reports("message_ids", func(text string, report storage.Report) {
		answer = append(answer, batchStatus{MessageID: text, StatusMessage: statusOf(report.Push, report.Total)})
	})
	if err != nil || len(elsewhere) == 0 {
		return answer, err
	}
	if len(answer) == 0 {
		return nil, errElsewhere
	}
	if states, err := call.core.ElsewhereStates(call.Context(), call.app, elsewhere); err == nil {
		for _, state := range states {
			answer = append(answer, state)
		}
	}
	return answer, nil
}

// batchStatus is one message's state.
type batchStatus struct {
	MessageID string `json:"message_id"`
	engagelab.StatusMessage
}

// statusOf names the furthest milestone that anybody reached; failed, if that is all that happened.
func statusOf(push storage.Push, c storage.Counts) engagelab.StatusMessage {
	if why := whyUnsent(push); why != nil {
		return *why
	}
	for _, reached := range []struct {
		n int
		storage.Milestone
	}{
		{c.Clicked, storage.Clicked}, {c.Displayed, storage.Displayed}, {c.Delivered, storage.Delivered},
		{c.Sent, storage.Sent}, {c.Failed, storage.Failed},
	} {
		if reached.n > 0 {
			return engagelab.StatusMessage{Status: strings.ToLower(reached.String())}
		}
	}
	return engagelab.StatusMessage{Status: strings.ToLower(storage.MilestoneUnknown.String())}
}

var failedStatus = strings.ToLower(storage.Failed.String())

// whyUnsent is the status of everybody if a push has ended without being sent, else nil.
func whyUnsent(push storage.Push) *engagelab.StatusMessage {
	switch {
	case push.State == storage.PushExpired:
		return &engagelab.StatusMessage{Status: failedStatus, ErrorMessage: "expired: EngageLab did not take it within its time_to_live"}
	case push.State == storage.PushRejected && push.Refusal != nil:
		return &engagelab.StatusMessage{Status: failedStatus, ErrorMessage: push.Refusal.Message}
	default:
		return nil
	}
}

// reports hands over the report of each push that a parameter lists, and returns the ids that Susul does not know.
func (call v4Call) reports(parameter string, tell func(text string, report storage.Report)) (unknown []string, err error) {
	ids, err := listParameter(call.Request, parameter)
	if err != nil {
		return nil, err
	}
	for _, text := range ids {
		push, err := call.push(parameter, text)
		if errors.Is(err, errElsewhere) {
			unknown = append(unknown, text)
			continue
		}
		if err != nil {
			return nil, err
		}
		report, err := call.core.Report(call.Context(), call.app, push.ID)
		if err != nil {
			return nil, err
		}
		tell(text, report)
	}
	return unknown, nil
}

// statusDetail counts all under notification: Susul does not tell EngageLab's two kinds of content apart.
func statusDetail(c storage.Counts) engagelab.StatusDetail {
	detail := engagelab.StatusDetail{Totals: engagelab.Totals{
		Targets: int64(c.Targets), Sent: int64(c.Sent), Delivered: int64(c.Delivered),
		Impressions: int64(c.Displayed), Clicks: int64(c.Clicked),
	}}
	detail.Sub.Notification = engagelab.KindDetail{
		Target: detail.Targets, Sent: detail.Sent, Delivered: detail.Delivered,
		Impressions: detail.Impressions, Click: detail.Clicks,
	}
	return detail
}

// v4StatusMessage answers with how far one push got with given devices. Devices that are not recipients are left out.
func (a *API) v4StatusMessage(call v4Call) (any, error) {
	registrationIDs, err := listParameter(call.Request, "registration_ids")
	if err != nil {
		return nil, err
	}
	text, err := parameter(call.Request, "message_id")
	if err != nil {
		return nil, err
	}
	push, err := call.push("message_id", text)
	if err != nil {
		return nil, err
	}
	recipients, err := call.core.Recipients(call.Context(), call.app, push.ID, registrationIDs)
	if err != nil {
		return nil, err
	}
	answer := make(map[string]engagelab.StatusMessage, len(recipients))
	for _, recipient := range recipients {
		status := engagelab.StatusMessage{Status: strings.ToLower(furthest(recipient.Progress.InAnyStep()).String())}
		if why := whyUnsent(push); why != nil {
			status = *why
		} else if status.Status == failedStatus {
			if status.ErrorMessage, err = call.core.FailureOf(call.Context(), push, recipient.RegistrationID); err != nil {
				return nil, err
			}
		}
		answer[recipient.RegistrationID] = status
	}
	return answer, nil
}

func parseMsgID(parameter, text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, invalid(parameter, "must be a positive 64-bit integer")
	}
	return id, nil
}

// parameter reads a query parameter that must be there, once.
func parameter(r *http.Request, name string) (string, error) {
	switch values := r.URL.Query()[name]; {
	case len(values) == 0 || values[0] == "":
		return "", invalid(name, "is missing")
	case len(values) > 1:
		return "", invalid(name, "is given more than once")
	default:
		return values[0], nil
	}
}

// listParameter reads a comma separated query parameter. It may be there several times: EngageLab's Java SDK repeated it
// for each item, before it took to commas.
func listParameter(r *http.Request, name string) ([]string, error) {
	text := strings.Join(r.URL.Query()[name], ",")
	if text == "" {
		return nil, invalid(name, "is missing")
	}
	items := strings.Split(text, ",")
	if len(items) > maxStatusIDs {
		return nil, invalid(name, "has more than "+strconv.Itoa(maxStatusIDs)+" items")
	}
	return items, nil
}
