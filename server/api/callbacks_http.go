package api

import (
	"io"
	"net/http"

	"google.golang.org/grpc/codes"

	susulv1 "susul.dev/susul/gen/susul/v1"
	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// maxCallbackBytes bounds the body of a callback; EngageLab's batches are far smaller.
	maxCallbackBytes = 8 << 20

	// maxCallbacksAtWork is how many requests are read and stored at the same time. What comes beyond is refused before it
	// costs anything: it could not be stored within EngageLab's 3 seconds anyway.
	maxCallbacksAtWork = 1024

	// callbackErrorCode is the code in EngageLab's example of a failed callback.
	callbackErrorCode = 2002
)

// serveCallbacks takes EngageLab's reports. An empty 200 says that every row is on disk; any other answer makes EngageLab
// try again.
func (a *API) serveCallbacks(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &Fault{Code: codes.Unimplemented, HTTPStatus: http.StatusMethodNotAllowed, Message: "callbacks are posted"}
	}
	key := r.PathValue("app_key")
	guard, known := a.guards[key]
	if !known {
		return notFound("apps/" + key)
	}
	visit := guard.visit(r)
	if err := visit.enter(); err != nil {
		return err
	}
	body, done, err := a.bodies.read(w, r, maxCallbackBytes)
	if err != nil {
		return visit.unread(err)
	}
	defer done()
	return a.offerHTTP(w, r, body, true, func(backend Backend) error {
		return a.takeCallbacks(w, r, visit, body, backend.Delivery)
	})
}

// takeCallbacks stores what a body reports.
func (a *API) takeCallbacks(w http.ResponseWriter, r *http.Request, visit visit, body []byte, core *delivery.Service) error {
	if err := visit.bring(body); err != nil {
		return err
	}
	if !a.callbacksAtWork.TryAcquire(1) {
		return errOverloaded
	}
	defer a.callbacksAtWork.Release(1)
	memory := a.callbackMemory.Get().(*callbackMemory)
	defer a.callbackMemory.Put(memory)
	batch := &memory.batch
	if err := batch.Parse(body); err != nil {
		return visit.refuse(susulv1.RefusalReason_REFUSAL_REASON_MALFORMED,
			invalid("body", "is not a callback document: one JSON object with rows"))
	}
	if batch.EchoStr != "" && len(batch.Rows) == 0 { // the check of a new address
		w.Header().Set("Content-Type", "text/plain; charset=utf-8") // a browser must not take it for a page
		_, _ = io.WriteString(w, batch.EchoStr)
		return nil
	}
	memory.rows = delivery.AppendWire(memory.rows[:0], batch)
	_, err := core.RecordCallbacks(r.Context(), r.PathValue("app_key"), memory.rows)
	return err
}

// callbackMemory is what one request's rows are read into. What is left in it of an earlier request is never seen.
type callbackMemory struct {
	batch engagelab.CallbackBatch
	rows  []storage.Callback
}

// errOverloaded makes EngageLab come back.
var errOverloaded = &Fault{
	Code: codes.Unavailable, Reason: susulv1.ErrorReason_ERROR_REASON_OVERLOADED, Retry: true,
	Message: "more callbacks come than can be stored: try again",
}

// callbackFault writes the shape that EngageLab documents for failed callbacks.
func callbackFault(w http.ResponseWriter, fault *Fault) {
	_ = writeJSON(w, httpStatus(fault), struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{callbackErrorCode, fault.Message})
}
