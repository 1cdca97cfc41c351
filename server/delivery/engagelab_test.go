package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

// sending is one request that reached EngageLab.
type sending struct {
	cid      string
	ids      []string
	document engagelab.Document
	upstream string
}

func (s sending) notification(t *testing.T) map[string]any {
	t.Helper()
	body, _ := s.document.Members()["body"].(map[string]any)
	notification, _ := body["notification"].(map[string]any)
	android, ok := notification["android"].(map[string]any)
	require.True(t, ok)
	return android
}

// engageLab is a Sender that remembers what it got and what became of it, and recognises a repeated cid. Its hooks may change an
// answer.
type engageLab struct {
	mu        sync.Mutex
	byCID     map[string]string
	sendings  []sending
	withdrawn []string
	arrived   chan sending // one for each new cid

	// before is called with each request before it counts, and may refuse it.
	before func(sending) error
	// after is called once a request has counted; its error is a lost answer.
	after      func(sending) error
	onWithdraw func(id string) error

	// states are what the statistics tell: how far each message came with each device, by its upstream id.
	states map[string]map[string]string
	// asked counts the calls for statistics, and the devices that were asked about.
	asked struct{ details, messages, devices int }
	// onDetail and onMessage are called with what is asked; their errors are the answer.
	onDetail  func(ids []string) error
	onMessage func(id string, registrationIDs []string) error

	batches   []int // how many targets each batch had
	onBatch   func(targets int) error
	unmention func(sending) bool // whom a batch's answer leaves out

	deleted  []string
	onDelete func(registrationID string) error
}

func newEngageLab() *engageLab {
	return &engageLab{byCID: map[string]string{}, states: map[string]map[string]string{}, arrived: make(chan sending, 10_000)}
}

func (e *engageLab) Push(_ context.Context, body []byte) (engagelab.PushResponse, error) {
	document, err := engagelab.ParseDocument(body)
	if err != nil {
		return engagelab.PushResponse{}, err
	}
	ids, _ := document.RegistrationIDs()
	s := sending{cid: cidOf(document), ids: ids, document: document}
	s, err = e.take(s)
	if err != nil {
		return engagelab.PushResponse{}, err
	}
	return engagelab.PushResponse{MsgID: s.upstream}, nil
}

// take accepts a message, unless a hook refuses it or loses its answer.
func (e *engageLab) take(s sending) (sending, error) {
	e.mu.Lock()
	before, after := e.before, e.after
	e.mu.Unlock()
	if before != nil {
		if err := before(s); err != nil {
			return s, err
		}
	}
	e.mu.Lock()
	upstream, repeated := e.byCID[s.cid]
	if !repeated {
		upstream = fmt.Sprintf("%d", 1000+len(e.byCID))
		e.byCID[s.cid] = upstream
		e.states[upstream] = map[string]string{}
	}
	s.upstream = upstream
	if !repeated {
		e.sendings = append(e.sendings, s)
		e.arrived <- s
	}
	e.mu.Unlock()
	if after != nil {
		return s, after(s)
	}
	return s, nil
}

// BatchPush takes target by target. A target that the hook refuses has its error in the answer; an answer that it loses is lost for
// all.
func (e *engageLab) BatchPush(_ context.Context, kind engagelab.BatchKind, body []byte, targets int) (engagelab.BatchResponse, error) {
	items, err := engagelab.ParseBatch(body, kind)
	if err == nil && len(items) != targets {
		err = fmt.Errorf("%d targets instead of %d", len(items), targets)
	}
	if err != nil {
		return engagelab.BatchResponse{}, err
	}
	e.mu.Lock()
	e.batches = append(e.batches, len(items))
	onBatch, unmention := e.onBatch, e.unmention
	e.mu.Unlock()
	if onBatch != nil {
		if err := onBatch(len(items)); err != nil {
			return engagelab.BatchResponse{}, err
		}
	}
	var lost error
	answer := engagelab.BatchResponse{Results: map[string]engagelab.BatchResult{}}
	for _, item := range items {
		s, err := e.take(sending{cid: cidOf(item.Document), ids: []string{item.Target}, document: item.Document})
		var refused *engagelab.Error
		switch {
		case unmention != nil && unmention(s):
		case err == nil:
			answer.Results[item.Target] = engagelab.BatchResult{Target: item.Target, Success: true, MsgID: json.Number(s.upstream)}
		case engagelab.Ambiguous(err):
			lost = err
		case errors.As(err, &refused):
			answer.Results[item.Target] = engagelab.BatchResult{Target: item.Target, Code: refused.Code, Message: refused.Message}
		}
	}
	return answer, lost
}

func cidOf(document engagelab.Document) string {
	body, _ := document.Members()["body"].(map[string]any)
	options, _ := body["options"].(map[string]any)
	cid, _ := options["cid"].(string)
	return cid
}

func (e *engageLab) Validate(context.Context, []byte) (engagelab.PushResponse, error) {
	return engagelab.PushResponse{}, nil
}

// saw lets EngageLab know how far a message came with devices, whether it reports that or not.
func (e *engageLab) saw(s sending, status string, ids ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		if e.states[s.upstream] != nil && furthest(status) >= furthest(e.states[s.upstream][id]) {
			e.states[s.upstream][id] = status
		}
	}
}

// furthest orders statuses; failures and unknown ones come first.
func furthest(status string) int {
	switch status {
	case "click":
		status = "clicked"
	case "impression":
		status = "displayed"
	}
	return slices.Index([]string{"", "sent", "delivered", "displayed", "clicked"}, status)
}

// StatusDetail counts what EngageLab saw. Unknown ids are missing.
func (e *engageLab) StatusDetail(_ context.Context, ids []string) (map[string]engagelab.StatusDetail, error) {
	e.mu.Lock()
	e.asked.details++
	onDetail := e.onDetail
	e.mu.Unlock()
	if onDetail != nil {
		if err := onDetail(ids); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	details := map[string]engagelab.StatusDetail{}
	for _, id := range ids {
		states, known := e.states[id]
		if !known {
			continue
		}
		var t engagelab.Totals
		for _, status := range states {
			for i, count := range []*int64{&t.Sent, &t.Delivered, &t.Impressions, &t.Clicks} {
				if furthest(status) > i {
					*count++
				}
			}
		}
		details[id] = engagelab.StatusDetail{Totals: t}
	}
	return details, nil
}

// StatusMessage tells what EngageLab saw; of devices of which it saw nothing, that they are planned.
func (e *engageLab) StatusMessage(_ context.Context, id string, registrationIDs []string) (map[string]engagelab.StatusMessage, error) {
	e.mu.Lock()
	e.asked.messages++
	e.asked.devices += len(registrationIDs)
	onMessage := e.onMessage
	e.mu.Unlock()
	if onMessage != nil {
		if err := onMessage(id, registrationIDs); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	states, known := e.states[id]
	if !known {
		return nil, errUnknownID
	}
	answer := map[string]engagelab.StatusMessage{}
	for _, id := range registrationIDs {
		answer[id] = engagelab.StatusMessage{Status: "plan"}
		if status := states[id]; status != "" {
			answer[id] = engagelab.StatusMessage{Status: status}
		}
	}
	return answer, nil
}

// fails lets EngageLab know why a message failed for devices, without reporting it.
func (e *engageLab) fails(s sending, status string, ids ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.states[s.upstream][id] = status
	}
}

// lags makes EngageLab's statistics know nothing of a device yet.
func (e *engageLab) lags(s sending, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.states[s.upstream], id)
}

// forget makes EngageLab's statistics know nothing of a message.
func (e *engageLab) forget(s sending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.states, s.upstream)
}

// statistics sets what happens to whoever asks for them.
func (e *engageLab) statistics(onDetail func([]string) error, onMessage func(string, []string) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.onDetail, e.onMessage = onDetail, onMessage
}

// DeleteDevice remembers whom it forgot.
func (e *engageLab) DeleteDevice(_ context.Context, registrationID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.onDelete != nil {
		if err := e.onDelete(registrationID); err != nil {
			return err
		}
	}
	e.deleted = append(e.deleted, registrationID)
	return nil
}

func (e *engageLab) StatusBatch(context.Context, []string) ([]json.RawMessage, error) {
	return nil, errDown
}

func (e *engageLab) Withdraw(_ context.Context, id string) (engagelab.PushResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.onWithdraw != nil {
		if err := e.onWithdraw(id); err != nil {
			return engagelab.PushResponse{}, err
		}
	}
	e.withdrawn = append(e.withdrawn, id)
	return engagelab.PushResponse{MsgID: id}, nil
}

func (e *engageLab) hook(before, after func(sending) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before, e.after = before, after
}

var (
	errDown      = &engagelab.Error{HTTPStatus: 503, Code: engagelab.CodeInternal, Message: "down"}
	errRefused   = &engagelab.Error{HTTPStatus: 400, Code: engagelab.CodeInvalidParameter, Message: "the title is odd"}
	errUnknownID = &engagelab.Error{HTTPStatus: 404, Code: engagelab.CodeInvalidParameter, Message: "message_id is not known"}
	errForbidden = &engagelab.Error{HTTPStatus: 401, Code: engagelab.CodeAuthenticationFailed, Message: "who are you?"}
	errBusy      = &engagelab.Error{HTTPStatus: 429, Code: engagelab.CodeOverQuota, Message: "over quota"}
	// errLost leaves open whether EngageLab took the request.
	errLost = &engagelab.Error{HTTPStatus: 502, Code: engagelab.CodeInternal, Message: "bad gateway"}
)
