package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// principal is who calls: an app, or an admin.
type principal struct {
	app   string
	admin bool
}

// mayUse reports whether the caller may see and use an app.
func (p principal) mayUse(app string) bool { return p.admin || p.app == app }

type principalKey struct{}

func withPrincipal(ctx context.Context, p principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

func principalOf(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

// authenticator knows secrets by their hashes only, which also makes comparisons take the same time for any input.
type authenticator struct {
	apps   map[string][sha256.Size]byte
	tokens [][sha256.Size]byte
}

func newAuthenticator(apps map[string]App, tokens []string) authenticator {
	a := authenticator{apps: make(map[string][sha256.Size]byte, len(apps))}
	for key, app := range apps {
		a.apps[key] = sha256.Sum256([]byte(app.MasterSecret))
	}
	for _, token := range tokens {
		a.tokens = append(a.tokens, sha256.Sum256([]byte(token)))
	}
	return a
}

// authenticate reads an Authorization header: `Basic appKey:masterSecret` or `Bearer token`.
func (a authenticator) authenticate(header string) (principal, error) {
	scheme, credentials, _ := strings.Cut(header, " ")
	credentials = strings.TrimSpace(credentials)
	switch strings.ToLower(scheme) {
	case "basic":
		return a.authenticateApp(credentials)
	case "bearer":
		given := sha256.Sum256([]byte(credentials))
		for _, token := range a.tokens {
			if subtle.ConstantTimeCompare(given[:], token[:]) == 1 {
				return principal{admin: true}, nil
			}
		}
		return principal{}, fmt.Errorf("%w: the token is not an admin's", errUnauthenticated)
	case "":
		return principal{}, fmt.Errorf("%w: send `Authorization: Basic appKey:masterSecret` or `Bearer token`", errUnauthenticated)
	default:
		return principal{}, fmt.Errorf("%w: the scheme must be Basic or Bearer", errUnauthenticated)
	}
}

func (a authenticator) authenticateApp(credentials string) (principal, error) {
	decoded, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return principal{}, fmt.Errorf("%w: Basic credentials are not base64", errUnauthenticated)
	}
	key, secret, _ := strings.Cut(string(decoded), ":")
	given := sha256.Sum256([]byte(secret))
	want, known := a.apps[key]
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 || !known {
		return principal{}, fmt.Errorf("%w: app key or master secret is wrong", errUnauthenticated)
	}
	return principal{app: key}, nil
}

// useApp returns an error unless the caller may use the app and the app exists.
func (a *API) useApp(ctx context.Context, app string) error {
	if !principalOf(ctx).mayUse(app) {
		return fmt.Errorf("%w: these credentials are not for app %q", errPermissionDenied, app)
	}
	if _, known := a.apps[app]; !known {
		return notFound("apps/" + app)
	}
	return nil
}
