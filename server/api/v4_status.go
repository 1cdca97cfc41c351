package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// maxStatusIDs is how many ids EngageLab takes in one question.
const maxStatusIDs = 100

// v4StatusDetail answers with the chain's totals: a recipient counts once, whichever step reached it.
// Unknown ids are left out.
func (a *API) v4StatusDetail(call v4Call) (any, error) {
	ids, err := listParameter(call.Request, "message_ids")
	if err != nil {
		return nil, err
	}
	answer := make(map[string]engagelab.StatusDetail, len(ids))
	for _, text := range ids {
		id, err := parseMsgID("message_ids", text)
		if err != nil {
			return nil, err
		}
		report, err := call.core.Report(call.Context(), call.app, id)
		switch {
		case err == nil:
			answer[text] = statusDetail(report.Total)
		case !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
	}
	return answer, nil
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
	id, err := parseMsgID("message_id", call.URL.Query().Get("message_id"))
	if err != nil {
		return nil, err
	}
	registrationIDs, err := listParameter(call.Request, "registration_ids")
	if err != nil {
		return nil, err
	}
	recipients, err := call.core.Recipients(call.Context(), call.app, id, registrationIDs)
	if err != nil {
		return nil, err
	}
	answer := make(map[string]engagelab.StatusMessage, len(recipients))
	for _, recipient := range recipients {
		answer[recipient.RegistrationID] = engagelab.StatusMessage{
			Status: strings.ToLower(furthest(recipient.Progress.InAnyStep()).String()),
		}
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

// listParameter reads a comma separated query parameter.
func listParameter(r *http.Request, name string) ([]string, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return nil, invalid(name, "is missing")
	}
	items := strings.Split(text, ",")
	if len(items) > maxStatusIDs {
		return nil, invalid(name, "has more than "+strconv.Itoa(maxStatusIDs)+" items")
	}
	return items, nil
}
