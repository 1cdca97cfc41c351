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
		{method: "GET", path: "/v4/status/batch/message", answer: s.statusBatch},
		{method: "GET", path: "/v4/status/users", answer: s.statusUsers},

		{method: "GET", path: "/v4/devices/{id}", answer: locked(s, s.getDevice)},
		{method: "POST", path: "/v4/devices/{id}", answer: locked(s, s.setDevice)},
		{method: "DELETE", path: "/v4/devices/{id}", answer: locked(s, s.deleteDevice)},
		{method: "POST", path: "/v4/devices/status", answer: locked(s, s.devicesStatus)},
		{method: "GET", path: "/v4/tags", answer: locked(s, s.listTags)},
		{method: "POST", path: "/v4/tags/{tag}", answer: locked(s, s.setTag)},
		{method: "DELETE", path: "/v4/tags/{tag}", answer: locked(s, s.deleteTag)},
		{method: "GET", path: "/v4/tags/{tag}/registration_ids/{id}", answer: locked(s, s.isTagged)},
		{method: "GET", path: "/v4/tags_count", answer: locked(s, s.countTags)},
		{method: "GET", path: "/v4/tags/quota-info", answer: locked(s, s.tagQuota)},
		{method: "GET", path: "/v4/aliases/{alias}", answer: locked(s, s.getAlias)},
		{method: "DELETE", path: "/v4/aliases/{alias}", answer: locked(s, s.deleteAlias)},

		{method: "POST", path: "/v4/schedules", answer: locked(s, s.createSchedule)},
		{method: "GET", path: "/v4/schedules", answer: locked(s, s.listSchedules)},
		{method: "GET", path: "/v4/schedules/{id}", answer: locked(s, s.getSchedule)},
		{method: "PUT", path: "/v4/schedules/{id}", answer: locked(s, s.updateSchedule)},
		{method: "DELETE", path: "/v4/schedules/{id}", answer: locked(s, s.deleteSchedule)},
		{method: "GET", path: "/v4/schedules/{id}/msg-ids", answer: locked(s, s.scheduleMessages)},

		{method: "POST", path: "/v4/push_plan", answer: locked(s, s.setPlan)},
		{method: "GET", path: "/v4/push_plan/list", answer: locked(s, s.listPlans)},
		{method: "DELETE", path: "/v4/push_plan/{ids}", answer: locked(s, s.deletePlans)},
		{method: "DELETE", path: "/v4/push_plan/batch/{ids}", answer: locked(s, s.deletePlans)},
		{method: "GET", path: "/v4/status/plan/msg/{$}", answer: locked(s, s.planMessages)},
		{method: "GET", path: "/v4/status/plan/detail", answer: locked(s, s.planDetail)},

		{method: "POST", path: "/v4/voices", answer: locked(s, s.setVoice)},
		{method: "GET", path: "/v4/voices", answer: locked(s, s.listVoices)},
		{method: "GET", path: "/v4/voices/{language}", answer: locked(s, s.getVoice)},
		{method: "DELETE", path: "/v4/voices/{language}", answer: locked(s, s.deleteVoice)},
		{method: "POST", path: "/v4/image/oppo", answer: locked(s, s.setImages)},
	} {
		mux.Handle(e.method+" "+e.path, s.serve(e))
	}
	mux.HandleFunc("POST /v4/grouppush", s.groupPush)
	mux.HandleFunc("GET /sandbox/requests", s.showRequests)
	mux.HandleFunc("GET /sandbox/devices/{registration_id}", s.showDevice)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		missed := miss{header: w.Header()}
		handler.ServeHTTP(&missed, r)
		if missed.code == http.StatusMethodNotAllowed {
			engagelab.WriteError(w, missed.code, engagelab.CodeUnsupportedMethod, "only "+w.Header().Get("Allow")+" is supported")
			return
		}
		engagelab.WriteError(w, http.StatusNotFound, engagelab.CodeInvalidParameter, "the sandbox has nothing at this path")
	})
}

// miss learns how a mux answers what matches none of its patterns.
type miss struct {
	header http.Header
	code   int
}

func (m *miss) Header() http.Header         { return m.header }
func (m *miss) Write(p []byte) (int, error) { return len(p), nil }
func (m *miss) WriteHeader(code int)        { m.code = code }

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
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			arrived.Document = asDocument(body)
		}
		s.record(arrived)
		if refused == nil {
			if answer != nil {
				writeJSON(w, answer)
			}
			return
		}
		if refused.HTTPStatus == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		engagelab.WriteError(w, refused.HTTPStatus, refused.Code, refused.Message)
	})
}

// locked lets an endpoint work on the sandbox's state undisturbed.
func locked(s *Sandbox, answer func(*app, *http.Request, []byte) (any, error)) func(*app, *http.Request, []byte) (any, error) {
	return func(a *app, r *http.Request, body []byte) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return answer(a, r, body)
	}
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
func (s *Sandbox) read(a *app, document []byte) (push, []string, error) {
	p, err := readPush(document)
	if err != nil {
		return push{}, nil, err
	}
	if p.requestID == "" {
		p.requestID = fmt.Sprintf("%016x", rand.Uint64())
	}
	s.mu.Lock()
	recipients := s.resolve(a, p.audience)
	s.mu.Unlock()
	if len(recipients) == 0 {
		return push{}, nil, refuse(http.StatusBadRequest, engagelab.CodeNoTarget, "no device belongs to the audience")
	}
	return p, recipients, nil
}

func (s *Sandbox) push(a *app, _ *http.Request, body []byte) (any, error) {
	p, recipients, err := s.read(a, body)
	if err != nil {
		return nil, err
	}
	id, err := s.accept(a, p, recipients)
	return engagelab.PushResponse{RequestID: p.requestID, MsgID: id}, err
}

func (s *Sandbox) validate(a *app, _ *http.Request, body []byte) (any, error) {
	p, _, err := s.read(a, body)
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
