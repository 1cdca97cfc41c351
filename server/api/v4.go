package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc/codes"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
)

// policyHeader names a push's resend policy, since EngageLab's document has no place for it.
const policyHeader = "Susul-Resend-Policy"

// v4Call is one of EngageLab's calls for an app.
type v4Call struct {
	*http.Request
	body []byte
	core *delivery.Service
	app  string
}

// v4Handler answers a call.
type v4Handler func(call v4Call) (answer any, err error)

// routeV4 adds EngageLab's own REST.
func (a *API) routeV4(mux *http.ServeMux) {
	for pattern, handle := range map[string]v4Handler{
		"POST /v4/push":                     a.v4Push,
		"POST /v4/push/validate":            a.v4Validate,
		"DELETE /v4/push/withdraw/{msg_id}": a.v4Withdraw,
		"GET /v4/status/detail":             a.v4StatusDetail,
		"GET /v4/status/message":            a.v4StatusMessage,
		"/v4/":                              a.v4Unknown,
	} {
		mux.Handle(pattern, a.withHTTPRecovery(v4Fault, a.serveV4(handle)))
	}
}

// serveV4 authenticates, calls and answers in EngageLab's shapes.
func (a *API) serveV4(handle v4Handler) httpHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		caller, err := a.auth.authenticate(r.Header.Get("Authorization"))
		if err != nil {
			return err
		}
		if caller.app == "" {
			return fmt.Errorf("%w: /v4 needs an app's credentials", errPermissionDenied)
		}
		core, err := a.core()
		if err != nil {
			return err
		}
		body, done, err := a.bodies.read(w, r, maxRequestBytes)
		if err != nil {
			return err
		}
		defer done()
		answer, err := handle(v4Call{Request: r, body: body, core: core, app: caller.app})
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, answer)
	}
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
	return engagelab.PushResponse{RequestID: request.Document.RequestID(), MsgID: msgID(push.ID)}, nil
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
		return delivery.PushRequest{}, invalid("body", err.Error())
	}
	return delivery.PushRequest{
		App: call.app, Document: document,
		PolicyID: strings.TrimPrefix(call.Header.Get(policyHeader), policyPrefix),
	}, nil
}

func (a *API) v4Withdraw(call v4Call) (any, error) {
	id, err := parseMsgID("msg_id", call.PathValue("msg_id"))
	if err != nil {
		return nil, err
	}
	push, err := call.core.WithdrawPush(call.Context(), call.app, id)
	if err != nil {
		return nil, err
	}
	return engagelab.PushResponse{RequestID: push.RequestID, MsgID: msgID(push.ID)}, nil
}

func (a *API) v4Unknown(call v4Call) (any, error) {
	return nil, notFound(call.Method + " " + call.URL.Path)
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
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return handle(w, r)
}

// v4Fault writes EngageLab's shape: {"error":{"code":…,"message":…}}. A refusal of EngageLab's own goes on as it came.
func v4Fault(w http.ResponseWriter, fault *Fault) {
	code, number := httpStatus(fault), engageLabCode(fault.Code)
	if refused := fault.Upstream; refused != nil {
		number = refused.Code
		if refused.HTTPStatus >= http.StatusBadRequest { // a redirect would not lead this caller anywhere
			code = refused.HTTPStatus
		}
	}
	engagelab.WriteError(w, code, number, fault.Message)
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
