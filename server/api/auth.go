package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"susul.dev/susul/server/engagelab"
)

// principal is who calls: an app, a group of apps, or an admin.
type principal struct {
	app   string
	group string
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
	users  map[string]user
	tokens [][sha256.Size]byte
}

// user is whom a user name stands for.
type user struct {
	secret [sha256.Size]byte
	principal
}

func newAuthenticator(apps map[string]App, groups map[string]Group, tokens []string) authenticator {
	a := authenticator{users: make(map[string]user, len(apps)+len(groups))}
	for key, group := range groups {
		a.users[engagelab.GroupUserPrefix+key] = user{sha256.Sum256([]byte(group.MasterSecret)), principal{group: key}}
	}
	for key, app := range apps {
		a.users[key] = user{sha256.Sum256([]byte(app.MasterSecret)), principal{app: key}}
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
		return a.authenticateUser(credentials)
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

func (a authenticator) authenticateUser(credentials string) (principal, error) {
	decoded, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return principal{}, fmt.Errorf("%w: Basic credentials are not base64", errUnauthenticated)
	}
	name, secret, _ := strings.Cut(string(decoded), ":")
	given := sha256.Sum256([]byte(secret))
	named, known := a.users[name]
	if subtle.ConstantTimeCompare(given[:], named.secret[:]) != 1 || !known {
		return principal{}, fmt.Errorf("%w: app key or master secret is wrong", errUnauthenticated)
	}
	return named.principal, nil
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
