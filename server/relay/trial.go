package relay

import (
	"bytes"
	"context"
	"time"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// TestResult is what a made-up event met.
type TestResult struct {
	WebhookID string
	Status    int    // 0 if there was no answer
	Error     string // empty if it was taken
	Duration  time.Duration
	Body      string // its beginning, up to 1 KiB
}

// testRegistrationID is whom the made-up event is about.
const testRegistrationID = "test"

// Test posts a made-up event to an endpoint: of a click, by the registration id "test". An endpoint of callback URLs gets it at its
// address, without a query.
func (r *Relay) Test(ctx context.Context, app, id string) (TestResult, error) {
	e, err := r.find(ctx, app, id)
	if err != nil {
		return TestResult{}, err
	}
	var address string
	e.look(func(l *ledger) { address = l.row.URL })
	now := r.RealClock.Now()
	items := []item{{sequence: now.UnixNano()}} // every test has a webhook-id of its own
	request := r.request(e.key(), e.destination(), address, items, [][]byte{r.testRow()})
	result := r.Poster.Post(ctx, request)
	if err := ctx.Err(); err != nil {
		return TestResult{}, err
	}
	test := TestResult{WebhookID: request.ID, Status: result.Status, Duration: result.Duration, Body: string(result.Body)}
	if result.Err != nil {
		test.Error = result.Err.Error()
	}
	return test, nil
}

// testRow is the row of the made-up event. Its object susul, which comes last, says that it is a test.
func (r *Relay) testRow() []byte {
	event := storage.Event{ReceiveTime: r.Clock.Now()}
	event.RegistrationID, event.Milestone, event.Time = testRegistrationID, storage.Clicked, event.ReceiveTime
	row := r.appendRow(nil, &event, &subscription.Push{})
	return append(bytes.TrimSuffix(row, []byte("}}")), `,"test":true}}`...)
}
