package api

import (
	"context"
	"net/http"

	"susul.dev/susul/server/forward"
)

// forwardedKey is of the *forwardedCall of a REST call that another node forwarded.
type forwardedKey struct{}

// forwardedCall is what becomes of one.
type forwardedCall struct {
	refused bool // nobody here works on it
}

func forwardedTo(ctx context.Context) *forwardedCall {
	call, _ := ctx.Value(forwardedKey{}).(*forwardedCall)
	return call
}

// offerHTTP answers a REST call, whose body was read, here or by the leader.
func (a *API) offerHTTP(w http.ResponseWriter, r *http.Request, body []byte, repeatable bool, here func(Backend) error) error {
	call := forward.Call{
		Protocol: protocolHTTP, Size: len(body), Repeatable: repeatable,
		Here: func() (taken bool, err error) {
			backend, err := a.backend()
			if err != nil {
				return false, nil //nolint:nilerr // the leader is to answer
			}
			return true, here(backend)
		},
		There: func(_ context.Context, to *forward.Link) error {
			source := sourceOf(r, a.trustedProxies)
			return to.HTTP(w, r, body, source.String())
		},
	}
	taken, err := call.Here()
	switch forwarded := forwardedTo(r.Context()); {
	case taken:
		return err
	case forwarded != nil:
		forwarded.refused = true
		return a.standby()
	}
	return a.offer(r.Context(), call)
}
