package sandbox

import (
	"crypto/subtle"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"

	"susul.dev/susul/server/engagelab"
)

// groupPush answers a push to all apps of a group: each has its own msg_id, or its own error.
func (s *Sandbox) groupPush(w http.ResponseWriter, r *http.Request) {
	arrived := Request{At: s.cfg.Clock.Now(), Method: r.Method, Path: r.URL.RequestURI(), Status: http.StatusOK}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch user, secret, _ := r.BasicAuth(); {
	case err != nil:
		err = badRequest("the body is larger than %d bytes", maxBody)
	case !s.isGroup(user, secret):
		err = refuse(http.StatusUnauthorized, engagelab.CodeAuthenticationFailed, "basic authentication failed")
	default:
		arrived.App = user
		_, err = readPush(body)
	}
	refused := asRefusal(err)
	if refused != nil {
		arrived.Status = refused.HTTPStatus
	}
	arrived.Document = asDocument(body)
	s.record(arrived)
	if refused != nil {
		engagelab.WriteError(w, refused.HTTPStatus, refused.Code, refused.Message)
		return
	}
	answer := map[string]any{"group_msgid": fmt.Sprintf("g%016x", rand.Uint64())}
	for key, a := range s.apps {
		pushed, err := s.push(a, r, body)
		if refused := asRefusal(err); refused != nil {
			pushed = map[string]any{"error": map[string]any{"code": refused.Code, "message": refused.Message}}
		}
		answer[key] = pushed
	}
	writeJSON(w, answer)
}

func (s *Sandbox) isGroup(user, secret string) bool {
	key, prefixed := strings.CutPrefix(user, engagelab.GroupUserPrefix)
	want, known := s.cfg.Groups[key]
	return prefixed && known && subtle.ConstantTimeCompare([]byte(want), []byte(secret)) == 1
}
