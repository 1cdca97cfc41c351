package config

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"susul.dev/susul/storage"
)

// minToken is the least length of an administrator's token, in characters.
const minToken = 16

// The bounds of storage.connections. One of them only listens; the leader's work and everybody's take place beside each other.
const (
	minConnections = 4
	maxConnections = 1000
)

// validate adds what is wrong with the values and with how they go together. Nothing that can hold a secret is quoted:
// URLs and data source names may have passwords in them.
func (l *loader) validate(c Config) {
	l.require(c.DataDir != "", "data_dir", "must name a directory")
	l.validateAddresses(c)
	if c.PublicURL != "" {
		l.validateURL(l.at("public_url"), c.PublicURL)
	}
	l.together(l.at("tls.cert_file"), c.TLS.CertFile != "", l.at("tls.key_file"), c.TLS.KeyFile != "")
	l.require(c.Storage.Driver == DriverSQLite || c.Storage.Driver == DriverPostgres, "storage.driver", "must be sqlite or postgres")
	l.require(c.Storage.Driver != DriverPostgres || !c.Storage.DSN.Empty(), "storage.dsn",
		"is missing; with storage.driver postgres it says which database, such as postgres://susul@db.example.com/susul")
	l.require(c.Storage.Driver != DriverSQLite || !strings.Contains(c.Storage.DSN.Reveal(), "://"), "storage.dsn",
		"is a URL, and storage.driver sqlite takes the path of a file; set storage.driver to postgres, or remove this")
	l.require(c.Storage.Connections >= minConnections && c.Storage.Connections <= maxConnections, "storage.connections",
		fmt.Sprintf("must be from %d to %d", minConnections, maxConnections))
	for i, endpoint := range c.Etcd.Endpoints {
		at := l.at("etcd.endpoints").index(i)
		if strings.Contains(endpoint, "://") {
			l.validateURL(at, endpoint)
		} else {
			l.validateTarget(at, endpoint)
		}
	}
	for i, token := range c.Admin.Tokens {
		l.validateToken(l.at("admin.tokens").index(i), token.Reveal())
	}
	l.validateApps(c.Apps)
	l.validateGroups(c.Groups)
	l.require(c.Storage.Memory > 0, "storage.memory", "must be above 0")
	l.require(c.Storage.Retention >= 0, "storage.retention", "must be 0s or more")
	l.require(c.Callbacks.HeldRows > 0, "callbacks.held_rows", "must be above 0")
	l.require(c.Callbacks.MaxAge >= 0, "callbacks.max_age", "must be 0s or more")
	l.require(c.Callbacks.MaxAhead >= 0, "callbacks.max_ahead", "must be 0s or more")
	l.validateDeadTokens(c.Callbacks)
	l.require(c.Relay.MaxAge > 0, "relay.max_age", "must be above 0")
	l.require(c.Relay.Timeout > 0, "relay.timeout", "must be above 0")
	l.require(positive(c.Clock.Speed), "clock.speed", "must be above 0")
	l.require(c.Log.Format == FormatJSON || c.Log.Format == FormatText, "log.format", "must be json or text")
	l.require(c.Forward.Hold > 0, "forward.hold", "must be above 0")
	l.require(c.Shutdown.Timeout > 0, "shutdown.timeout", "must be above 0")
}

func (l *loader) require(ok bool, name, what string) {
	if !ok {
		l.faults.add(l.at(name), "%s", what)
	}
}

// together demands that both of two keys are set, or neither.
func (l *loader) together(a place, hasA bool, b place, hasB bool) {
	if hasA == hasB {
		return
	}
	if hasA {
		a, b = b, a
	}
	l.faults.add(a, "is missing, but %s is set; set both or neither", b)
}

func (l *loader) validateAddresses(c Config) {
	listeners := []struct{ name, address string }{
		{"grpc.listen", c.GRPC.Listen}, {"http.listen", c.HTTP.Listen}, {"ops.listen", c.Ops.Listen},
	}
	for i, one := range listeners {
		if _, _, ok := splitAddress(one.address); !ok {
			l.faults.add(l.at(one.name), "must be host:port with a port from 0 to 65535, such as 127.0.0.1:7070")
			continue
		}
		for _, other := range listeners[:i] {
			if clash(one.address, other.address) {
				l.faults.add(l.at(one.name), "has the port of %s; give each listener its own", other.name)
			}
		}
	}
	if c.Advertise != "" {
		l.validateTarget(l.at("advertise"), c.Advertise)
	}
}

// validateTarget demands an address that others can connect to.
func (l *loader) validateTarget(at place, address string) {
	host, port, ok := splitAddress(address)
	if !ok || port == 0 || wildcard(host) {
		l.faults.add(at, "must be host:port that others can connect to, with a port from 1 to 65535")
	}
}

func (l *loader) validateURL(at place, written string) {
	if what := urlFault(written); what != "" {
		l.faults.add(at, "%s", what)
	}
}

func (l *loader) validateToken(at place, token string) {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	switch {
	case utf8.RuneCountInString(token) < minToken:
		l.faults.add(at, "is too short; use at least %d characters", minToken)
	case strings.IndexFunc(token, odd) >= 0:
		l.faults.add(at, "has characters that an HTTP header cannot carry; use ASCII without spaces")
	}
}

func (l *loader) validateApps(served []App) {
	l.require(len(served) > 0, "apps", "are missing; configure at least one app with app_key and master_secret")
	first := map[string]place{}
	for i, app := range served {
		at := l.at("apps").index(i)
		l.validateKey(at.key("app_key"), app.AppKey, first)
		l.validateAccess(at, app.MasterSecret, app.BaseURL)
		if !positive(app.RequestsPerSecond) {
			l.faults.add(at.key("requests_per_second"), "must be above 0")
		}
		l.together(at.key("callback.username"), app.Callback.Username != "",
			at.key("callback.secret"), !app.Callback.Secret.Empty())
		l.validateHeaders(at.key("callback"), app.Callback)
		l.validateAppRelay(at.key("relay"), app)
	}
}

// validateHeaders checks what EngageLab must be able to send.
func (l *loader) validateHeaders(at place, c Callback) {
	odd := func(r rune) bool { return r < ' ' || r >= 0x7f }
	if authorization := c.Authorization.Reveal(); strings.IndexFunc(authorization, odd) >= 0 ||
		strings.TrimSpace(authorization) != authorization {
		l.faults.add(at.key("authorization"), "has characters that an HTTP header cannot carry; use ASCII without spaces around it")
	}
	if strings.TrimSpace(c.Username) != c.Username || strings.ContainsFunc(c.Username, endsName) {
		l.faults.add(at.key("username"), "must have no semicolon or control characters, and no spaces around it")
	}
}

// endsName reports what a name in a signature can't have in it.
func endsName(r rune) bool { return r == ';' || unicode.IsControl(r) }

// The same rules hold for the secrets and names of subscriptions.
const (
	maxSecrets = 2  // that are live at once while one takes the place of another
	minKey     = 24 // bytes of a key in base64, as Standard Webhooks has it
	maxKey     = 64
)

var (
	validUsername = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)
	validSecret   = regexp.MustCompile(`^[!-~]{16,256}$`)
)

func (l *loader) validateAppRelay(at place, app App) {
	username, secrets := at.key("username"), at.key("secrets")
	if !validUsername.MatchString(app.Relay.Username) {
		l.faults.add(username, "must be up to 64 letters, digits, dots, hyphens or underscores")
	}
	if app.Relay.Username != "" && len(app.Relay.Secrets) == 0 && app.Callback.Secret.Empty() {
		l.faults.add(secrets, "are missing, but %s is set; set both or neither", username)
	}
	if len(app.Relay.Secrets) > maxSecrets {
		l.faults.add(secrets, "are more than %d; the newest and the one before are enough", maxSecrets)
		return
	}
	for i, secret := range app.Relay.Secrets {
		l.validateSecret(secrets.index(i), secret.Reveal())
		if i > 0 && subtle.ConstantTimeCompare([]byte(secret.Reveal()), []byte(app.Relay.Secrets[0].Reveal())) == 1 {
			l.faults.add(secrets.index(i), "is the same as %s; keep one of the two", secrets.index(0).path)
		}
	}
}

func (l *loader) validateSecret(at place, secret string) {
	encoded, isBase64 := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case !validSecret.MatchString(secret):
		l.faults.add(at, "must be 16 to 256 ASCII characters without spaces")
	case isBase64 && (err != nil || len(key) < minKey || len(key) > maxKey):
		l.faults.add(at, "begins with whsec_ and so must go on with the base64 of %d to %d bytes", minKey, maxKey)
	}
}

func (l *loader) validateGroups(served []Group) {
	first := map[string]place{}
	for i, group := range served {
		at := l.at("groups").index(i)
		l.validateKey(at.key("group_key"), group.GroupKey, first)
		l.validateAccess(at, group.MasterSecret, group.BaseURL)
	}
}

// validateAccess checks what EngageLab is called with.
func (l *loader) validateAccess(at place, secret Secret, baseURL string) {
	if secret.Empty() {
		l.faults.add(at.key("master_secret"), "is missing; copy it from EngageLab's console")
	}
	l.validateURL(at.key("base_url"), baseURL)
}

// validateDeadTokens demands that what makes a token dead is a failure.
func (l *loader) validateDeadTokens(c Callbacks) {
	milestones := map[string]storage.Milestone{}
	for name, milestone := range c.Statuses {
		milestones[statusKey(name)] = milestone
	}
	for _, name := range slices.Sorted(maps.Keys(c.DeadTokens)) {
		milestone, mapped := milestones[statusKey(name)]
		if mapped && milestone != storage.Failed && c.DeadTokens[name] != "" {
			l.faults.add(l.at("callbacks.dead_tokens").key(printable(name)),
				"is no failure: callbacks.statuses says that it means %s", milestone)
		}
	}
}

// statusKey is how a status is recognised.
func statusKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// validKey is what resource names take.
var validKey = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// validateKey also keeps the first place of every key of an app or group.
func (l *loader) validateKey(at place, key string, first map[string]place) {
	switch earlier, twice := first[key]; {
	case key == "":
		l.faults.add(at, "is missing; copy it from EngageLab's console")
		return
	case !validKey.MatchString(key):
		l.faults.add(at, "must be 1 to 64 letters, digits, dots, hyphens or underscores: it is a part of resource names")
	case twice:
		l.faults.add(at, "is the same as %s; keep one of the two", earlier.path)
		return
	}
	first[key] = at
}

func positive(x float64) bool { return x > 0 && !math.IsInf(x, 1) }

// splitAddress returns the parts of host:port and whether they can be that.
func splitAddress(address string) (host string, port uint16, ok bool) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, false
	}
	n, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, false
	}
	return host, uint16(n), host == "" || validHost(host)
}

func validHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`).MatchString(host)
}

func wildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// clash reports whether two listeners want the same port. They may share its number only on two specific interfaces.
func clash(a, b string) bool {
	hostA, portA, okA := splitAddress(a)
	hostB, portB, okB := splitAddress(b)
	if !okA || !okB || portA != portB || portA == 0 {
		return false
	}
	ipA, errA := netip.ParseAddr(hostA)
	ipB, errB := netip.ParseAddr(hostB)
	specific := errA == nil && errB == nil && !ipA.IsUnspecified() && !ipB.IsUnspecified()
	return !specific || ipA.Unmap() == ipB.Unmap()
}

// urlFault says what is wrong with a base URL, or nothing.
func urlFault(written string) string {
	u, err := url.Parse(written)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return "must be a URL that starts with http:// or https:// and a host"
	case u.User != nil:
		return "must not have a user or password in it"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "must end with its path: no ? and no #"
	}
	if port := u.Port(); port != "" {
		if _, _, ok := splitAddress(net.JoinHostPort("", port)); !ok {
			return fmt.Sprintf("must have a port up to %d", math.MaxUint16)
		}
	}
	return ""
}
