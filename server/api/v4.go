package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc/codes"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// policyHeader names a push's resend policy, since EngageLab's document has no place for it.
const policyHeader = "Susul-Resend-Policy"

// v4Call is one of EngageLab's calls, by an app or by a group of apps.
type v4Call struct {
	*http.Request
	body []byte
	core *delivery.Service
	principal
}

// v4Handler answers a call. errElsewhere leaves it to EngageLab.
type v4Handler func(call v4Call) (answer any, err error)

// errElsewhere says that a call is about something that Susul does not know, and EngageLab may.
var errElsewhere = errors.New("EngageLab is to answer")

// routeV4 adds EngageLab's own REST. What is not in the table goes to EngageLab.
func (a *API) routeV4(mux *http.ServeMux) {
	for pattern, handle := range map[string]v4Handler{
		"POST /v4/push":                     a.v4Push,
		"POST /v4/push/validate":            a.v4Validate,
		"DELETE /v4/push/withdraw/{msg_id}": a.v4Withdraw,
		"POST /v4/batch/push/regid":         a.v4BatchRegID,
		"POST /v4/batch/push/alias":         a.v4BatchAlias,
		"GET /v4/status/detail":             a.v4StatusDetail,
		"GET /v4/status/message":            a.v4StatusMessage,
		"GET /v4/status/batch/message":      a.v4StatusBatch,
	} {
		mux.Handle(pattern, a.withHTTPRecovery(v4Fault, a.serveV4(needsApp, handle)))
	}
	mux.Handle("POST /v4/grouppush", a.withHTTPRecovery(v4Fault, a.serveV4(needsGroup, a.v4GroupPush)))
	for _, rest := range []string{"/v4", "/v4/"} {
		mux.Handle(rest, a.withHTTPRecovery(v4Fault, a.serveElsewhere))
	}
}

func needsApp(caller principal) error {
	if caller.app == "" {
		return fmt.Errorf("%w: this call needs an app's credentials", errPermissionDenied)
	}
	return nil
}

func needsGroup(caller principal) error {
	if caller.group == "" {
		return fmt.Errorf("%w: this call needs a group's credentials, with the user name %sKEY",
			errPermissionDenied, engagelab.GroupUserPrefix)
	}
	return nil
}

// serveV4 authenticates, calls and answers in EngageLab's shapes.
func (a *API) serveV4(allow func(principal) error, handle v4Handler) httpHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		caller, err := a.auth.authenticate(r.Header.Get("Authorization"))
		if err != nil {
			return err
		}
		if err := allow(caller); err != nil {
			return err
		}
		body, done, err := a.bodies.read(w, r, maxRequestBytes)
		if err != nil {
			return err
		}
		defer done()
		return a.offerHTTP(w, r, body, false, func(backend Backend) error {
			return a.answerV4(w, v4Call{Request: r, body: body, core: backend.Delivery, principal: caller}, handle)
		})
	}
}

func (a *API) answerV4(w http.ResponseWriter, call v4Call, handle v4Handler) error {
	answer, err := handle(call)
	if errors.Is(err, errElsewhere) {
		return a.passOn(w, call)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) v4Push(call v4Call) (any, error) {
	request, err := call.pushRequest()
	if err != nil {
		return nil, err
	}
	push, err := call.core.CreatePush(call.Context(), request)
	if err != nil {
		return nil, err
	}
	return pushAnswer(push, msgID(push.ID)), nil
}

func (a *API) v4Validate(call v4Call) (any, error) {
	request, err := call.pushRequest()
	if err != nil {
		return nil, err
	}
	if _, err := call.core.ValidatePush(call.Context(), request); err != nil {
		return nil, err
	}
	return engagelab.PushResponse{RequestID: request.Document.RequestID()}, nil
}

func (call v4Call) pushRequest() (delivery.PushRequest, error) {
	document, err := engagelab.ParseDocument(call.body)
	if err != nil {
		return delivery.PushRequest{}, unreadableDocument(err)
	}
	return call.request(document), nil
}

func (call v4Call) request(document engagelab.Document) delivery.PushRequest {
	return delivery.PushRequest{App: call.app, Document: document, PolicyID: call.policyID()}
}

func (call v4Call) policyID() string {
	return strings.TrimPrefix(call.Header.Get(policyHeader), policyPrefix)
}

// unreadableDocument is the fault of a body that is no document. One that is, but a faulty one, has its own.
func unreadableDocument(err error) error {
	if errors.As(err, new(*engagelab.InvalidDocument)) {
		return err
	}
	return invalid("body", err.Error())
}

func (a *API) v4Withdraw(call v4Call) (any, error) {
	push, err := call.push("msg_id", call.PathValue("msg_id"))
	if err != nil {
		return nil, err
	}
	if push, err = call.core.WithdrawPush(call.Context(), call.app, push.ID); err != nil {
		return nil, err
	}
	return pushAnswer(push, call.PathValue("msg_id")), nil
}

// pushAnswer echoes the id that the caller gave a push, or else, as EngageLab does, has one of its own in its place.
func pushAnswer(push storage.Push, id string) engagelab.PushResponse {
	return engagelab.PushResponse{RequestID: cmp.Or(delivery.RequestID(push), id), MsgID: id}
}

// push finds a push by its msg_id, or by the id that EngageLab gave one of its requests: that is what EngageLab's
// console and scheduled pushes show. An id that stands for nothing here gets errElsewhere.
func (call v4Call) push(parameter, text string) (storage.Push, error) {
	id, err := parseMsgID(parameter, text)
	if err != nil {
		return storage.Push{}, err
	}
	push, err := call.core.GetPush(call.Context(), call.app, id)
	if errors.Is(err, storage.ErrNotFound) {
		push, err = call.core.PushByUpstreamID(call.Context(), call.app, text)
	}
	if errors.Is(err, storage.ErrNotFound) {
		err = errElsewhere
	}
	return push, err
}

// httpHandler is a handler outside of the gateway; its error is answered by a faultWriter.
type httpHandler func(w http.ResponseWriter, r *http.Request) error

// faultWriter writes a fault in the shape that the callers of a path know.
type faultWriter func(w http.ResponseWriter, fault *Fault)

// withHTTPRecovery answers a handler's errors and panics.
func (a *API) withHTTPRecovery(write faultWriter, handle httpHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := recovered(w, r, handle)
		if err == nil {
			return
		}
		fault := faultOf(err)
		logFault(a.log, r.Method+" "+r.URL.Path, fault, err)
		write(w, fault)
	})
}

func recovered(w http.ResponseWriter, r *http.Request, handle httpHandler) (err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // a panic's value
			panic(p) // an answer broke off midway; the caller must see that it did
		} else if p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return handle(w, r)
}

// v4Fault writes EngageLab's shape: {"error":{"code":…,"message":…}}. A refusal of EngageLab's own goes on as it came.
func v4Fault(w http.ResponseWriter, fault *Fault) {
	status, code := engageLabError(fault)
	engagelab.WriteError(w, status, code, fault.Message)
}

// engageLabError returns the HTTP status and the error code that EngageLab's clients know for a fault.
func engageLabError(fault *Fault) (status, code int) {
	status, code = httpStatus(fault), engageLabCode(fault.Code)
	if refused := fault.Upstream; refused != nil {
		code = refused.Code
		if refused.HTTPStatus >= http.StatusBadRequest { // a redirect would not lead this caller anywhere
			status = refused.HTTPStatus
		}
	}
	return status, code
}

// engageLabCode is the error code that EngageLab's clients know for a fault.
func engageLabCode(code codes.Code) int {
	switch code {
	case codes.Unauthenticated, codes.PermissionDenied:
		return engagelab.CodeAuthenticationFailed
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists:
		return engagelab.CodeInvalidParameter
	case codes.FailedPrecondition:
		return engagelab.CodeCannotWithdraw
	case codes.OutOfRange:
		return engagelab.CodeBodyTooLarge
	case codes.DeadlineExceeded, codes.Unavailable:
		return engagelab.CodeTimeout
	case codes.ResourceExhausted:
		return engagelab.CodeOverQuota
	default:
		return engagelab.CodeInternal
	}
}

func writeJSON(w http.ResponseWriter, code int, answer any) error {
	data, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(data) // the caller is gone if this fails
	return nil
}
