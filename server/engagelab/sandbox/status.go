package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"susul.dev/susul/server/engagelab"
)

// maxStatusIDs is what one request for statistics may name: messages, or devices. For devices it could not be verified.
const maxStatusIDs = 100

// channel names what the message travels through: that of its first platform, which is near enough.
func (m *message) channel() string {
	for _, c := range []struct{ platform, channel string }{
		{"android", "FCM"}, {"ios", "APNS"}, {"hmos", "HMOS"}, {"web", "WEB"},
	} {
		if _, shown := m.content[c.platform]; shown {
			return c.channel
		}
	}
	return ""
}

func (m *message) totals() engagelab.Totals {
	return engagelab.Totals{
		Targets:     int64(len(m.receipts)),
		Sent:        int64(m.reached[sent]),
		Delivered:   int64(m.reached[delivered]),
		Impressions: int64(m.reached[displayed]),
		Clicks:      int64(m.reached[clicked]),
	}
}

func (m *message) detail() engagelab.StatusDetail {
	t := m.totals()
	kind := engagelab.KindDetail{
		Target: t.Targets, Sent: t.Sent, Delivered: t.Delivered, Impressions: t.Impressions, Click: t.Clicks,
	}
	switch m.channel() {
	case "FCM":
		kind.SubAndroid = map[string]engagelab.Totals{"fcm": t}
	case "APNS":
		kind.SubIOS = map[string]engagelab.Totals{"apns": t}
	}
	if m.notification {
		return engagelab.StatusDetail{Totals: t, Sub: engagelab.SubDetail{Notification: kind}}
	}
	return engagelab.StatusDetail{Totals: t, Sub: engagelab.SubDetail{Message: kind}}
}

// find returns the app's message with that msg_id, or nil. The caller holds the lock.
func (s *Sandbox) find(a *app, msgID string) *message {
	id, err := strconv.ParseInt(msgID, 10, 64)
	if m := s.messages[id]; err == nil && m != nil && m.app == a {
		return m
	}
	return nil
}

func (s *Sandbox) statusDetail(a *app, r *http.Request, _ []byte) (any, error) {
	list, err := ids(r, "message_ids", maxStatusIDs)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	details := map[string]engagelab.StatusDetail{}
	for _, id := range list {
		if m := s.find(a, id); m != nil {
			details[id] = m.detail()
		}
	}
	return details, nil
}

func (s *Sandbox) statusMessage(a *app, r *http.Request, _ []byte) (any, error) {
	messages, err := ids(r, "message_id", 1)
	if err != nil {
		return nil, err
	}
	list, err := ids(r, "registration_ids", maxStatusIDs)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(a, messages[0])
	if m == nil {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, "message_id is not known")
	}
	statuses := map[string]engagelab.StatusMessage{}
	for _, id := range list {
		d := s.devices[id]
		if d == nil {
			continue
		}
		if i := slices.IndexFunc(d.receipts, func(r *receipt) bool { return r.message == m }); i >= 0 {
			statuses[id] = d.receipts[i].status()
		}
	}
	return statuses, nil
}

// status names the last milestone; "plan" is what comes before all of them.
func (r *receipt) status() engagelab.StatusMessage {
	if r.has(failed) {
		return engagelab.StatusMessage{Status: failed.status(), ErrorMessage: textDeadToken}
	}
	for _, m := range []milestone{clicked, displayed, delivered, sent} {
		if r.has(m) {
			return engagelab.StatusMessage{Status: m.status()}
		}
	}
	return engagelab.StatusMessage{Status: "plan"}
}

// statusBatch answers with the state of each message: that of the device that got furthest. The shape is that of
// EngageLab's SDKs, whose members could not be verified.
func (s *Sandbox) statusBatch(a *app, r *http.Request, _ []byte) (any, error) {
	list, err := ids(r, "message_ids", maxStatusIDs)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	statuses := []map[string]string{}
	for _, id := range list {
		m := s.find(a, id)
		if m == nil {
			continue
		}
		state := "plan"
		for _, reached := range []milestone{failed, sent, delivered, displayed, clicked} {
			if m.reached[reached] > 0 {
				state = reached.status()
			}
		}
		statuses = append(statuses, map[string]string{"message_id": id, "status": state, "error_message": ""})
	}
	return statuses, nil
}

// statusUsers answers with the population, the same on each day, hour or month.
func (s *Sandbox) statusUsers(_ *app, r *http.Request, _ []byte) (any, error) {
	const maxDuration = 60
	units := map[string]struct {
		layout string
		next   func(t time.Time, n int) time.Time
	}{
		"HOUR":  {"2006-01-02 15", func(t time.Time, n int) time.Time { return t.Add(time.Duration(n) * time.Hour) }},
		"DAY":   {time.DateOnly, func(t time.Time, n int) time.Time { return t.AddDate(0, 0, n) }},
		"MONTH": {"2006-01", func(t time.Time, n int) time.Time { return t.AddDate(0, n, 0) }},
	}
	name, duration := r.URL.Query().Get("time_unit"), 0
	unit, known := units[strings.ToUpper(name)]
	if !known {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, "time_unit must be HOUR, DAY or MONTH")
	}
	if err := number(r, "duration", &duration); err != nil {
		return nil, err
	}
	start, err := time.Parse(unit.layout, r.URL.Query().Get("start"))
	if err != nil || duration < 1 || duration > maxDuration {
		return nil, badRequest("start must look like %s, duration must be 1 to %d", unit.layout, maxDuration)
	}
	items := []map[string]any{}
	users := map[string]int{"new": 0, "active": len(s.population), "online": len(s.population)}
	for i := range duration {
		items = append(items, map[string]any{"time": unit.next(start, i).Format(unit.layout), "android": users, "ios": users})
	}
	return map[string]any{"TimeUnit": name, "start": r.URL.Query().Get("start"), "duration": duration, "items": items}, nil
}
