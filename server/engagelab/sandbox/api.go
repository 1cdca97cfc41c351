package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"susul.dev/susul/server/engagelab"
)

// What a dead token is reported with. EngageLab's own codes could not be verified.
const (
	codeDeadToken = 1011
	textDeadToken = "the token has expired: the app is uninstalled or not registered"
)

// endpoint answers one kind of request, with something to be written as JSON or with an *engagelab.Error.
type endpoint struct {
	method, path string
	perTarget    bool // it takes its quota itself
	answer       func(a *app, r *http.Request, body []byte) (any, error)
}

// Handler returns EngageLab's REST API under /v4/ and the sandbox's own under /sandbox/.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, e := range []endpoint{
		{method: "POST", path: "/v4/push", answer: s.push},
		{method: "POST", path: "/v4/push/validate", answer: s.validate},
		{method: "DELETE", path: "/v4/push/withdraw/{id}", answer: s.takeBack},
		{method: "POST", path: "/v4/batch/push/regid", perTarget: true, answer: s.batchTo(byRegistrationID)},
		{method: "POST", path: "/v4/batch/push/alias", perTarget: true, answer: s.batchTo(byAlias)},
		{method: "GET", path: "/v4/status/detail", answer: s.statusDetail},
		{method: "GET", path: "/v4/status/message", answer: s.statusMessage},
	} {
		mux.Handle(e.method+" "+e.path, s.serve(e))
		mux.HandleFunc(e.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", e.method)
			engagelab.WriteError(w, http.StatusMethodNotAllowed, engagelab.CodeUnsupportedMethod, "only "+e.method+" is supported")
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		engagelab.WriteError(w, http.StatusNotFound, engagelab.CodeInvalidParameter, "the sandbox has nothing at this path")
	})
	mux.HandleFunc("GET /sandbox/requests", s.showRequests)
	mux.HandleFunc("GET /sandbox/devices/{registration_id}", s.showDevice)
	return mux
}

// serve does what all endpoints have in common: size, credentials, quota, the record of what arrived.
func (s *Sandbox) serve(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived := Request{At: s.cfg.Clock.Now(), Method: r.Method, Path: r.URL.RequestURI(), Status: http.StatusOK}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		a, authErr := s.authenticate(r)
		var answer any
		switch {
		case authErr != nil:
			err = authErr
		case errors.As(err, new(*http.MaxBytesError)):
			err = refuse(http.StatusBadRequest, engagelab.CodeBodyTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
		case err != nil:
			return // the client went away
		case !e.perTarget && !s.spend(a):
			err = overQuota()
		default:
			answer, err = e.answer(a, r, body)
		}
		if a != nil {
			arrived.App = a.key
		}
		refused := asRefusal(err)
		if refused != nil {
			arrived.Status = refused.HTTPStatus
		}
		arrived.Document = asDocument(body)
		s.record(arrived)
		if refused == nil {
			writeJSON(w, answer)
			return
		}
		if refused.HTTPStatus == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		engagelab.WriteError(w, refused.HTTPStatus, refused.Code, refused.Message)
	})
}

// asRefusal returns what to answer a failure with, nil if there was none.
func asRefusal(err error) *engagelab.Error {
	var refused *engagelab.Error
	if err == nil || errors.As(err, &refused) {
		return refused
	}
	return &engagelab.Error{HTTPStatus: http.StatusInternalServerError, Code: engagelab.CodeInternal, Message: "internal error"}
}

func (s *Sandbox) authenticate(r *http.Request) (*app, error) {
	key, secret, _ := r.BasicAuth()
	a := s.apps[key] // never written to after New
	if a == nil || subtle.ConstantTimeCompare([]byte(a.secret), []byte(secret)) != 1 {
		return nil, refuse(http.StatusUnauthorized, engagelab.CodeAuthenticationFailed, "basic authentication failed")
	}
	return a, nil
}

// spend takes one unit of the app's quota, if there is one.
func (s *Sandbox) spend(a *app) bool { return a.quota.AllowN(s.cfg.Clock.Now(), 1) }

func overQuota() error {
	return refuse(http.StatusTooManyRequests, engagelab.CodeOverQuota, "the request rate of the app key is over its limit")
}

// read checks a push object and finds out whom it means.
func (s *Sandbox) read(document []byte) (push, []string, error) {
	p, err := readPush(document)
	if err != nil {
		return push{}, nil, err
	}
	if p.requestID == "" {
		p.requestID = fmt.Sprintf("%016x", rand.Uint64())
	}
	recipients := s.resolve(p.audience)
	if len(recipients) == 0 {
		return push{}, nil, refuse(http.StatusBadRequest, engagelab.CodeNoTarget, "no device belongs to the audience")
	}
	return p, recipients, nil
}

func (s *Sandbox) push(a *app, _ *http.Request, body []byte) (any, error) {
	p, recipients, err := s.read(body)
	if err != nil {
		return nil, err
	}
	id, err := s.accept(a, p, recipients)
	return engagelab.PushResponse{RequestID: p.requestID, MsgID: id}, err
}

func (s *Sandbox) validate(_ *app, _ *http.Request, body []byte) (any, error) {
	p, _, err := s.read(body)
	return engagelab.PushResponse{RequestID: p.requestID}, err
}

func (s *Sandbox) takeBack(a *app, r *http.Request, _ []byte) (any, error) {
	text := r.PathValue("id")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, "the msg_id must be a decimal number")
	}
	if why := s.withdraw(a, id); why != "" {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeCannotWithdraw, why)
	}
	return engagelab.PushResponse{RequestID: fmt.Sprintf("%016x", rand.Uint64()), MsgID: text}, nil
}

// ids reads a comma-separated query parameter of at most limit values.
func ids(r *http.Request, name string, limit int) ([]string, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeMissingParameter, name+" is missing")
	}
	list := strings.Split(value, ",")
	if len(list) > limit {
		return nil, refuse(http.StatusBadRequest, engagelab.CodeInvalidParameter, fmt.Sprintf("%s holds more than %d values", name, limit))
	}
	return list, nil
}

// writeJSON answers 200. An error means that the client has gone.
func writeJSON(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
