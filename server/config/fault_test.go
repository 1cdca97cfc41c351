package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// faultsOf loads and returns the faults as "where: what", with the file's path shortened to its name.
func faultsOf(t *testing.T, src Sources) []string {
	t.Helper()
	_, err := Load(src)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	lines := []string{}
	for _, f := range refused.Faults {
		lines = append(lines, strings.ReplaceAll(f.Where+": "+f.What, filepath.Dir(src.File)+string(filepath.Separator), ""))
	}
	return lines
}

func TestEveryFaultIsReported(t *testing.T) {
	const needsText = "must be text; put quotes around what looks like a number, a date or a truth value"
	const needsAddress = "must be host:port with a port from 0 to 65535, such as 127.0.0.1:7070"
	const needsTarget = "must be host:port that others can connect to, with a port from 1 to 65535"
	const needsURL = "must be a URL that starts with http:// or https:// and a host"
	const needsNetwork = "must be a network, such as 203.0.113.0/24, or an address"
	const needsCount = "must be a whole number from 0 to 100000000"
	const needsReason = "must be a word of up to 64 capitals, digits and underscores, such as UNREGISTERED, or empty"
	const needsSecret = "must be 16 to 256 ASCII characters without spaces"
	const needsKey = "begins with whsec_ and so must go on with the base64 of 24 to 64 bytes"
	const needsApp = "must be a list of apps, each a map with app_key and master_secret, in YAML or JSON"
	cases := map[string]struct {
		yaml    string
		environ []string
		args    []string
		want    []string
	}{
		"unknown key": {"grpc: {lisen: ':1'}", nil, nil,
			[]string{"grpc.lisen (susul.yaml): is no key of Susul's; did you mean grpc.listen?"}},
		"unknown section": {"grcp: {listen: ':1'}", nil, nil,
			[]string{"grcp (susul.yaml): is no key of Susul's; did you mean grpc?"}},
		"unknown and like nothing": {"telemetry_sampling: 1", nil, nil,
			[]string{"telemetry_sampling (susul.yaml): is no key of Susul's; remove it"}},
		"unknown and not printable": {`{"a\nb": 1}`, nil, nil,
			[]string{`"a\nb" (susul.yaml): is no key of Susul's; remove it`}},
		"a row of the table is no key": {"'apps[].app_key': k", nil, nil,
			[]string{"apps[].app_key (susul.yaml): is no key of Susul's; remove it"}},
		"unknown key of an app": {"apps: [{app_key: k, master_secret: s, bas_url: x}]", nil, nil,
			[]string{"apps[0].bas_url (susul.yaml): is no key of Susul's; did you mean base_url?"}},
		"unknown variable": {"", []string{"SUSUL_GRPC_LISEN=:1"}, nil,
			[]string{"SUSUL_GRPC_LISEN: is no variable of Susul's; did you mean SUSUL_GRPC_LISTEN?"}},
		"unknown variable like a cluster's": {"", []string{"SUSUL_HTTP_PORT=8080"}, nil,
			[]string{"SUSUL_HTTP_PORT: is no variable of Susul's; remove it"}},
		"variable of another command": {"", []string{"SUSUL_MIGRATE_TO_DSN=postgres://u:hunter2@x/y"}, nil,
			[]string{"SUSUL_MIGRATE_TO_DSN: is for susul migrate-storage alone; unset it"}},
		"set twice": {"clock: {speed: 1}\nclock.speed: 2", nil, nil,
			[]string{"clock.speed (susul.yaml): is set twice, in its section and with a dot; keep one"}},
		"section without keys": {"http: ':7080'", nil, nil,
			[]string{"http (susul.yaml): is a section; put its keys under it"}},
		"no map at all": {"- 1", nil, nil,
			[]string{"susul.yaml: is not a YAML map of keys near line 1; check indentation and quotes, and that no key is there twice"}},
		"not YAML": {"a: 1\nb: [", nil, nil,
			[]string{"susul.yaml: is not a YAML map of keys near line 2; check indentation and quotes, and that no key is there twice"}},
		"text that is a number": {"data_dir: 5", nil, nil, []string{"data_dir (susul.yaml): " + needsText}},
		"no directory":          {"", []string{"SUSUL_DATA_DIR="}, nil, []string{"data_dir (SUSUL_DATA_DIR): must name a directory"}},
		"no truth value": {"relay: {allow_private_networks: 1}", nil, nil,
			[]string{"relay.allow_private_networks (susul.yaml): must be true or false"}},
		"no number":      {"", []string{"SUSUL_CLOCK_SPEED=fast"}, nil, []string{"clock.speed (SUSUL_CLOCK_SPEED): must be a number"}},
		"speed zero":     {"", nil, []string{"--clock.speed=0"}, []string{"clock.speed (--clock.speed): must be above 0"}},
		"speed NaN":      {"clock: {speed: .nan}", nil, nil, []string{"clock.speed (susul.yaml): must be above 0"}},
		"speed infinite": {"clock: {speed: .inf}", nil, nil, []string{"clock.speed (susul.yaml): must be above 0"}},
		"no unit": {"shutdown: {timeout: 20}", nil, nil,
			[]string{"shutdown.timeout (susul.yaml): must be a duration with its unit, such as 20s or 1m30s"}},
		"no time":          {"", nil, []string{"--shutdown.timeout=0s"}, []string{"shutdown.timeout (--shutdown.timeout): must be above 0"}},
		"no level":         {"log: {level: loud}", nil, nil, []string{"log.level (susul.yaml): must be debug, info, warn or error"}},
		"no format":        {"log: {format: xml}", nil, nil, []string{"log.format (susul.yaml): must be json or text"}},
		"no list":          {"etcd: {endpoints: 5}", nil, nil, []string{"etcd.endpoints (susul.yaml): must be a list of texts"}},
		"no text in list":  {"etcd: {endpoints: ['a:1', 5]}", nil, nil, []string{"etcd.endpoints[1] (susul.yaml): " + needsText}},
		"no port":          {"", nil, []string{"--grpc.listen=localhost"}, []string{"grpc.listen (--grpc.listen): " + needsAddress}},
		"port too large":   {"", []string{"SUSUL_HTTP_LISTEN=:65536"}, nil, []string{"http.listen (SUSUL_HTTP_LISTEN): " + needsAddress}},
		"port with a name": {"ops: {listen: ':http'}", nil, nil, []string{"ops.listen (susul.yaml): " + needsAddress}},
		"no host":          {"ops: {listen: 'a b:1'}", nil, nil, []string{"ops.listen (susul.yaml): " + needsAddress}},
		"clash": {"", []string{"SUSUL_HTTP_LISTEN=127.0.0.1:7070"}, nil,
			[]string{"http.listen (SUSUL_HTTP_LISTEN): has the port of grpc.listen; give each listener its own"}},
		"clash with all interfaces": {"", []string{"SUSUL_OPS_LISTEN=:7080"}, nil,
			[]string{"ops.listen (SUSUL_OPS_LISTEN): has the port of http.listen; give each listener its own"}},
		"clash with a name": {"", []string{"SUSUL_OPS_LISTEN=localhost:7080"}, nil,
			[]string{"ops.listen (SUSUL_OPS_LISTEN): has the port of http.listen; give each listener its own"}},
		"advertise no port": {"advertise: susul-0", nil, nil, []string{"advertise (susul.yaml): " + needsTarget}},
		"advertise all":     {"advertise: 0.0.0.0:7070", nil, nil, []string{"advertise (susul.yaml): " + needsTarget}},
		"URL of a file":     {"public_url: file:///x", nil, nil, []string{"public_url (susul.yaml): " + needsURL}},
		"URL without host":  {"public_url: 'https://:80'", nil, nil, []string{"public_url (susul.yaml): " + needsURL}},
		"URL with a user":   {"public_url: https://u:hunter2@x", nil, nil, []string{"public_url (susul.yaml): must not have a user or password in it"}},
		"URL with a query":  {"public_url: https://x/?a=b", nil, nil, []string{"public_url (susul.yaml): must end with its path: no ? and no #"}},
		"URL with a port":   {"public_url: https://x:65536", nil, nil, []string{"public_url (susul.yaml): must have a port up to 65535"}},
		"etcd over FTP":     {"etcd: {endpoints: ['ftp://x']}", nil, nil, []string{"etcd.endpoints[0] (susul.yaml): " + needsURL}},
		"etcd without port": {"etcd: {endpoints: ['x']}", nil, nil, []string{"etcd.endpoints[0] (susul.yaml): " + needsTarget}},
		"no hold":           {"forward: {hold: 0s}", nil, nil, []string{"forward.hold (susul.yaml): must be above 0"}},
		"half TLS": {"tls: {cert_file: c.pem}", nil, nil,
			[]string{"tls.key_file: is missing, but tls.cert_file (susul.yaml) is set; set both or neither"}},
		"other half TLS": {"", []string{"SUSUL_TLS_KEY_FILE=k.pem"}, nil,
			[]string{"tls.cert_file: is missing, but tls.key_file (SUSUL_TLS_KEY_FILE) is set; set both or neither"}},
		"postgres": {"storage: {driver: postgres}", nil, nil, []string{"storage.dsn: is missing; with storage.driver postgres it says " +
			"which database, such as postgres://susul@db.example.com/susul"}},
		"URL for a file": {"storage: {dsn: 'postgres://u:hunter2@x/y'}", nil, nil, []string{"storage.dsn (susul.yaml): is a URL, and " +
			"storage.driver sqlite takes the path of a file; set storage.driver to postgres, or remove this"}},
		"driver": {"storage: {driver: mysql}", nil, nil, []string{"storage.driver (susul.yaml): must be sqlite or postgres"}},
		"password": {"storage: {driver: hunter2, dsn: 'postgres://u:hunter2@x/y'}", nil, nil,
			[]string{"storage.driver (susul.yaml): must be sqlite or postgres"}},
		"too few connections": {"storage: {connections: 3}", nil, nil, []string{"storage.connections (susul.yaml): must be from 4 to 1000"}},
		"too many connections": {"", []string{"SUSUL_STORAGE_CONNECTIONS=1001"}, nil,
			[]string{"storage.connections (SUSUL_STORAGE_CONNECTIONS): must be from 4 to 1000"}},
		"short token": {"admin: {tokens: [hunter2]}", nil, nil, []string{"admin.tokens[0] (susul.yaml): is too short; use at least 16 characters"}},
		"odd token": {"admin: {tokens: [0123456789abcdef, hunter2 hunter2 hunter2]}", nil, nil,
			[]string{"admin.tokens[1] (susul.yaml): has characters that an HTTP header cannot carry; use ASCII without spaces"}},
		"empty app": {"apps: [{}]", nil, nil, []string{
			"apps[0].app_key (susul.yaml): is missing; copy it from EngageLab's console",
			"apps[0].master_secret (susul.yaml): is missing; copy it from EngageLab's console"}},
		"no app":    {"apps: []", nil, nil, []string{"apps (susul.yaml): are missing; configure at least one app with app_key and master_secret"}},
		"apps text": {"", []string{"SUSUL_APPS=hunter2"}, nil, []string{"apps (SUSUL_APPS): " + needsApp}},
		"apps torn": {"", []string{"SUSUL_APPS=[{master_secret: *hunter2"}, nil, []string{"apps (SUSUL_APPS): " + needsApp}},
		"app text": {"apps: [hunter2, {app_key: k}]", nil, nil, []string{
			"apps[0] (susul.yaml): must be a map with app_key and master_secret",
			"apps[1].master_secret (susul.yaml): is missing; copy it from EngageLab's console"}},
		"app of wrong types": {"apps: [{app_key: 1, master_secret: 20250101, requests_per_second: hunter2, callback: hunter2}]", nil, nil, []string{
			"apps[0].callback (susul.yaml): is a section; put its keys under it",
			"apps[0].app_key (susul.yaml): " + needsText,
			"apps[0].master_secret (susul.yaml): " + needsText,
			"apps[0].requests_per_second (susul.yaml): must be a number"}},
		"app twice": {"", []string{"SUSUL_APPS=[{app_key: k, master_secret: a}, {app_key: k, master_secret: b}]"}, nil,
			[]string{"apps[1].app_key (SUSUL_APPS): is the same as apps[0].app_key; keep one of the two"}},
		"app key with a colon": {"apps: [{app_key: 'a:b', master_secret: s}]", nil, nil,
			[]string{"apps[0].app_key (susul.yaml): must be 1 to 64 letters, digits, dots, hyphens or underscores: it is a part of resource names"}},
		"app key beyond a name": {"apps: [{app_key: " + strings.Repeat("k", 65) + ", master_secret: s}, {app_key: kü, master_secret: s}]", nil, nil, []string{
			"apps[0].app_key (susul.yaml): must be 1 to 64 letters, digits, dots, hyphens or underscores: it is a part of resource names",
			"apps[1].app_key (susul.yaml): must be 1 to 64 letters, digits, dots, hyphens or underscores: it is a part of resource names"}},
		"app's URL":   {"apps: [{app_key: k, master_secret: s, base_url: x}]", nil, nil, []string{"apps[0].base_url (susul.yaml): " + needsURL}},
		"app's quota": {"apps: [{app_key: k, master_secret: s, requests_per_second: 0}]", nil, nil, []string{"apps[0].requests_per_second (susul.yaml): must be above 0"}},
		"app's half callback": {"apps: [{app_key: k, master_secret: s, callback: {secret: hunter2}}]", nil, nil, []string{
			"apps[0].callback.username (susul.yaml): is missing, but apps[0].callback.secret (susul.yaml) is set; set both or neither"}},
		"app's odd callback": {"apps: [{app_key: k, master_secret: s, callback: {username: 'a;b', secret: x, authorization: \"hunter2\\n\", networks: [10.0.0.0/33, 5]}}]", nil, nil, []string{
			"apps[0].callback.networks[1] (susul.yaml): " + needsText,
			"apps[0].callback.networks[0] (susul.yaml): " + needsNetwork,
			"apps[0].callback.authorization (susul.yaml): has characters that an HTTP header cannot carry; use ASCII without spaces around it",
			"apps[0].callback.username (susul.yaml): must have no semicolon or control characters, and no spaces around it"}},
		"app's callback of two lines": {"apps: [{app_key: k, master_secret: s, callback: {username: \"a\\nb\", secret: x}}]", nil, nil, []string{
			"apps[0].callback.username (susul.yaml): must have no semicolon or control characters, and no spaces around it"}},
		"app's odd relay": {"apps: [{app_key: k, master_secret: s, relay: {username: 'a b', secrets: [hunter2, 'whsec_hunter2hunter2!!']}}]", nil, nil, []string{
			"apps[0].relay.username (susul.yaml): must be up to 64 letters, digits, dots, hyphens or underscores",
			"apps[0].relay.secrets[0] (susul.yaml): " + needsSecret,
			"apps[0].relay.secrets[1] (susul.yaml): " + needsKey}},
		"app's short key": {"apps: [{app_key: k, master_secret: s, relay: {secrets: [whsec_aHVudGVyMmh1bnRlcjI=, " +
			"whsec_" + strings.Repeat("aHVu", 22) + "]}}]", nil, nil, []string{
			"apps[0].relay.secrets[0] (susul.yaml): " + needsKey,
			"apps[0].relay.secrets[1] (susul.yaml): " + needsKey}},
		"app's long relay": {"apps: [{app_key: k, master_secret: s, relay: {username: " + strings.Repeat("u", 65) +
			", secrets: ['hunter2 hunter2 hunter2', " + strings.Repeat("hunter2", 40) + "]}}]", nil, nil, []string{
			"apps[0].relay.username (susul.yaml): must be up to 64 letters, digits, dots, hyphens or underscores",
			"apps[0].relay.secrets[0] (susul.yaml): " + needsSecret,
			"apps[0].relay.secrets[1] (susul.yaml): " + needsSecret}},
		"app's secrets": {"apps: [{app_key: k, master_secret: s, relay: {secrets: [hunter2-hunter2-hunter2, hunter2-hunter2-hunter2]}}, " +
			"{app_key: l, master_secret: s, relay: {secrets: [a, b, c]}}, {app_key: m, master_secret: s, relay: {username: u, secrets: 5}}]", nil, nil, []string{
			"apps[2].relay.secrets (susul.yaml): must be a list of texts",
			"apps[0].relay.secrets[1] (susul.yaml): is the same as apps[0].relay.secrets[0]; keep one of the two",
			"apps[1].relay.secrets (susul.yaml): are more than 2; the newest and the one before are enough"}},
		"app's name without a secret": {"apps: [{app_key: k, master_secret: s, relay: {username: u}}]", nil, nil, []string{
			"apps[0].relay.secrets (susul.yaml): are missing, but apps[0].relay.username (susul.yaml) is set; set both or neither"}},
		"relay's times": {"relay: {max_age: 0s}", []string{"SUSUL_RELAY_TIMEOUT=-1s"}, nil, []string{
			"relay.max_age (susul.yaml): must be above 0",
			"relay.timeout (SUSUL_RELAY_TIMEOUT): must be above 0"}},
		"app's open callback": {"apps: [{app_key: k, master_secret: s, callback: {networks: {a: b}}}]", nil, nil, []string{
			"apps[0].callback.networks (susul.yaml): must be a list of networks, such as 203.0.113.0/24, or addresses"}},
		"proxies": {"", nil, []string{"--http.trusted_proxies=10.1.0.0/8,example.com", "--http.trusted_proxies=::ffff:1.2.3.4"}, []string{
			"http.trusted_proxies[0] (--http.trusted_proxies): has bits beyond its length; did you mean 10.0.0.0/8?",
			"http.trusted_proxies[1] (--http.trusted_proxies): " + needsNetwork,
			"http.trusted_proxies[2] (--http.trusted_proxies): " + needsNetwork}},
		"ages": {"callbacks: {max_age: -1s, max_ahead: 5}", []string{"SUSUL_CALLBACKS_NONCES=1.5"}, nil, []string{
			"callbacks.max_ahead (susul.yaml): must be a duration with its unit, such as 20s or 1m30s",
			"callbacks.nonces (SUSUL_CALLBACKS_NONCES): " + needsCount,
			"callbacks.max_age (susul.yaml): must be 0s or more"}},
		"nonces below 0":  {"callbacks: {nonces: -1}", nil, nil, []string{"callbacks.nonces (susul.yaml): " + needsCount}},
		"too many nonces": {"", nil, []string{"--callbacks.nonces=100000001"}, []string{"callbacks.nonces (--callbacks.nonces): " + needsCount}},
		"nonces in parts": {"callbacks: {nonces: 2.5}", nil, nil, []string{"callbacks.nonces (susul.yaml): " + needsCount}},
		"empty group": {"groups: [{}]", nil, nil, []string{
			"groups[0].group_key (susul.yaml): is missing; copy it from EngageLab's console",
			"groups[0].master_secret (susul.yaml): is missing; copy it from EngageLab's console"}},
		"group text": {"groups: [hunter2]", nil, nil, []string{
			"groups[0] (susul.yaml): must be a map with group_key and master_secret"}},
		"groups text": {"groups: hunter2", nil, nil, []string{
			"groups (susul.yaml): must be a list of groups, each a map with group_key and master_secret, in YAML or JSON"}},
		"group twice": {"groups: [{group_key: k, master_secret: a}, {group_key: k, master_secret: b, base_url: x}]", nil, nil, []string{
			"groups[1].group_key (susul.yaml): is the same as groups[0].group_key; keep one of the two",
			"groups[1].base_url (susul.yaml): " + needsURL}},
		"statuses": {"callbacks: {statuses: {opened: READ, seen: [1], '': SENT, ok: SENT}}", nil, nil, []string{
			`callbacks.statuses."" (susul.yaml): must have the name of a status`,
			"callbacks.statuses.opened (susul.yaml): must be SENT, DELIVERED, DISPLAYED, CLICKED or FAILED",
			"callbacks.statuses.seen (susul.yaml): must be SENT, DELIVERED, DISPLAYED, CLICKED or FAILED"}},
		"dead tokens": {"callbacks: {statuses: {opened: CLICKED, gone: FAILED}, dead_tokens: {' ': GONE, a: gone, b: [1], c: 'GONE!', 7: GONE, d: '', Opened: GONE, gone: GONE}}",
			nil, nil, []string{
				`callbacks.dead_tokens." " (susul.yaml): must have the name of a status, or an error code`,
				"callbacks.dead_tokens.a (susul.yaml): " + needsReason,
				"callbacks.dead_tokens.b (susul.yaml): " + needsReason,
				"callbacks.dead_tokens.c (susul.yaml): " + needsReason,
				"callbacks.dead_tokens.Opened (susul.yaml): is no failure: callbacks.statuses says that it means CLICKED"}},
		"dead tokens text": {"", []string{"SUSUL_CALLBACKS_DEAD_TOKENS=gone"}, nil, []string{
			"callbacks.dead_tokens (SUSUL_CALLBACKS_DEAD_TOKENS): must be a map of EngageLab's status names or error codes to reasons, in YAML or JSON"}},
		"statuses text": {"", []string{"SUSUL_CALLBACKS_STATUSES=opened"}, nil, []string{
			"callbacks.statuses (SUSUL_CALLBACKS_STATUSES): must be a map of EngageLab's status names to milestones, in YAML or JSON"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			environ := tc.environ
			if !strings.Contains(tc.yaml, "apps:") && !strings.Contains(strings.Join(environ, " "), "SUSUL_APPS=") {
				environ = append(environ, oneApp)
			}
			got := faultsOf(t, sources(t, tc.yaml, environ, tc.args))
			require.Equal(t, tc.want, got)
			require.NotContains(t, strings.Join(got, "\n"), "hunter2")
		})
	}
}

func TestNothingConfiguredMeansNoApp(t *testing.T) {
	require.Equal(t, []string{"apps: are missing; configure at least one app with app_key and master_secret"},
		faultsOf(t, Sources{}))
}

func TestAMissingFileIsAFault(t *testing.T) {
	src := Sources{File: filepath.Join(t.TempDir(), "none.yaml"), Environ: []string{oneApp}}
	require.Equal(t, []string{"none.yaml: cannot be read: no such file or directory"}, faultsOf(t, src))
}

func TestThreeMistakesOneFailure(t *testing.T) {
	src := sources(t, "htp: {listen: ':1'}", []string{oneApp, "SUSUL_CLOCK_SPEED=fast"}, []string{"--grpc.listen=nowhere"})
	_, err := Load(src)
	require.EqualError(t, err, fmt.Sprintf(`the configuration cannot be used:
  htp (%s): is no key of Susul's; did you mean http?
  clock.speed (SUSUL_CLOCK_SPEED): must be a number
  grpc.listen (--grpc.listen): must be host:port with a port from 0 to 65535, such as 127.0.0.1:7070`, src.File))
}

func TestSecretsShowThemselvesOnlyWhenAsked(t *testing.T) {
	secret := NewSecret("hunter2")
	require.Equal(t, "hunter2", secret.Reveal())
	require.False(t, secret.Empty())
	require.True(t, NewSecret("").Empty())
	require.Empty(t, Secret{}.Reveal())

	var log strings.Builder
	hidden := struct{ token Secret }{secret}
	app := App{AppKey: "k", MasterSecret: secret, Callback: Callback{Secret: secret}, Relay: AppRelay{Secrets: []Secret{secret}}}
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("m", "secret", secret, "app", app, "hidden", hidden)
	}
	inJSON, err := json.Marshal(map[string]any{"secret": secret, "app": app})
	require.NoError(t, err)
	shown := log.String() + string(inJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb+verb+verb+"\n", secret, app, hidden)
		require.Equal(t, "[redacted]", fmt.Sprintf(verb, secret))
	}
	require.NotContains(t, shown, "hunter2")
	require.NotContains(t, shown, fmt.Sprintf("%x", "hunter2"))
	require.Contains(t, string(inJSON), `"secret":"[redacted]"`)
	require.Equal(t, "[redacted]", secret.String())
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(filepath.Join("..", "..", "docs", "susul.example.yaml"))
	require.NoError(f, err)
	for _, seed := range []string{
		string(example), "", "apps: [{app_key: k, master_secret: s}]", "a: &a [*a]", "1: {2: 3}", "? [a]\n: b",
		"apps: [[{1: 2}]]", "clock: {speed: 1e999}", "<<: {data_dir: x}", "data_dir: 2001-01-01", "\x00", "apps: {.nan: 1}",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "susul.yaml")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		c, err := Load(Sources{File: path, Environ: []string{"SUSUL_CALLBACKS_STATUSES=" + string(content)}})
		var refused *Error
		if errors.As(err, &refused) {
			require.NotEmpty(t, refused.Faults)
			require.Equal(t, len(refused.Faults), strings.Count(err.Error(), "\n"), "one fault, one line")
			return
		}
		require.NoError(t, err)
		require.NotEmpty(t, c.Apps)
		require.False(t, c.Storage.DSN.Empty())
	})
}
