package config

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"susul.dev/susul/storage"
)

const oneApp = `SUSUL_APPS=[{"app_key":"k","master_secret":"s"}]`

// sources writes the YAML to a file, if there is any, and parses the arguments.
func sources(t *testing.T, content string, environ, args []string) Sources {
	t.Helper()
	src := Sources{Environ: environ}
	if content != "" {
		src.File = filepath.Join(t.TempDir(), "susul.yaml")
		require.NoError(t, os.WriteFile(src.File, []byte(content), 0o600))
	}
	src.Flags = pflag.NewFlagSet("susul", pflag.ContinueOnError)
	RegisterFlags(src.Flags)
	require.NoError(t, src.Flags.Parse(args))
	return src
}

func minimal() Config {
	return Config{
		DataDir: "data",
		GRPC:    Listener{"127.0.0.1:7070"},
		HTTP:    HTTP{Listen: "127.0.0.1:7080"},
		Ops:     Listener{"127.0.0.1:7090"},
		Storage: Storage{Driver: DriverSQLite, DSN: NewSecret(filepath.Join("data", "susul.db")), Connections: 16, Memory: 1024,
			Retention: 90 * 24 * time.Hour},
		Apps:      []App{anApp()},
		Callbacks: Callbacks{MaxAge: 2 * time.Hour, MaxAhead: 5 * time.Minute, Nonces: 1_000_000, HeldRows: 1_000_000, ExternalPushes: 10_000},
		Relay:     Relay{MaxAge: 72 * time.Hour, Timeout: 15 * time.Second},
		Clock:     Clock{Speed: 1},
		Log:       Log{Level: slog.LevelInfo, Format: FormatJSON},
		Shutdown:  Shutdown{Timeout: 20 * time.Second},
		Forward:   Forward{Hold: 10 * time.Second},
		Advertise: "127.0.0.1:7070",
	}
}

func anApp() App {
	return App{
		AppKey: "k", MasterSecret: NewSecret("s"),
		BaseURL: "https://pushapi-sgp.engagelab.com", RequestsPerSecond: 500,
	}
}

func TestLoadReadsEveryKeyFromEverySource(t *testing.T) {
	cases := []struct {
		name  string // of the key
		yaml  string
		text  string // as a variable and as a flag
		apply func(*Config)
	}{
		{"data_dir", "data_dir: /d", "/d", func(c *Config) {
			c.DataDir, c.Storage.DSN = "/d", NewSecret(filepath.Join("/d", "susul.db"))
		}},
		{"grpc.listen", "grpc: {listen: ':1'}", ":1", func(c *Config) { c.GRPC.Listen, c.Advertise = ":1", ":1" }},
		{"http.listen", "http: {listen: '[::1]:2'}", "[::1]:2", func(c *Config) { c.HTTP.Listen = "[::1]:2" }},
		{"ops.listen", "ops.listen: localhost:0", "localhost:0", func(c *Config) { c.Ops.Listen = "localhost:0" }},
		{"public_url", "public_url: https://x.y/z", "https://x.y/z", func(c *Config) { c.PublicURL = "https://x.y/z" }},
		{"storage.driver", "storage: {driver: sqlite}", "sqlite", func(*Config) {}},
		{"storage.dsn", "storage: {dsn: f.db}", "f.db", func(c *Config) { c.Storage.DSN = NewSecret("f.db") }},
		{"storage.connections", "storage: {connections: 40}", "40", func(c *Config) { c.Storage.Connections = 40 }},
		{"etcd.endpoints", "etcd: {endpoints: ['a:1', 'http://b:2']}", "a:1, http://b:2", func(c *Config) {
			c.Etcd.Endpoints = []string{"a:1", "http://b:2"}
		}},
		{"admin.tokens", "admin: {tokens: [0123456789abcdef, fedcba9876543210]}", "0123456789abcdef,fedcba9876543210",
			func(c *Config) {
				c.Admin.Tokens = []Secret{NewSecret("0123456789abcdef"), NewSecret("fedcba9876543210")}
			}},
		{"http.trusted_proxies", "http: {trusted_proxies: [10.0.0.0/8, '::1']}", "10.0.0.0/8, ::1", func(c *Config) {
			c.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		}},
		{"callbacks.max_age", "callbacks: {max_age: 0s}", "0", func(c *Config) { c.Callbacks.MaxAge = 0 }},
		{"callbacks.max_ahead", "callbacks: {max_ahead: 1m}", "1m", func(c *Config) { c.Callbacks.MaxAhead = time.Minute }},
		{"storage.memory", "storage: {memory: 64}", "64", func(c *Config) { c.Storage.Memory = 64 }},
		{"storage.retention", "storage: {retention: 24h}", "24h", func(c *Config) { c.Storage.Retention = 24 * time.Hour }},
		{"callbacks.held_rows", "callbacks: {held_rows: 7}", "7", func(c *Config) { c.Callbacks.HeldRows = 7 }},
		{"callbacks.external_pushes", "callbacks: {external_pushes: 0}", "0", func(c *Config) { c.Callbacks.ExternalPushes = 0 }},
		{"callbacks.nonces", "callbacks: {nonces: 5}", "5", func(c *Config) { c.Callbacks.Nonces = 5 }},
		{"relay.allow_private_networks", "relay: {allow_private_networks: true}", "true", func(c *Config) {
			c.Relay.AllowPrivateNetworks = true
		}},
		{"relay.max_age", "relay: {max_age: 5m}", "5m", func(c *Config) { c.Relay.MaxAge = 5 * time.Minute }},
		{"relay.timeout", "relay: {timeout: 3s}", "3s", func(c *Config) { c.Relay.Timeout = 3 * time.Second }},
		{"clock.speed", "clock: {speed: 60}", "60", func(c *Config) { c.Clock.Speed = 60 }},
		{"log.level", "log: {level: warn}", "warn", func(c *Config) { c.Log.Level = slog.LevelWarn }},
		{"log.format", "log: {format: text}", "text", func(c *Config) { c.Log.Format = FormatText }},
		{"shutdown.timeout", "shutdown: {timeout: 1m30s}", "1m30s", func(c *Config) {
			c.Shutdown.Timeout = 90 * time.Second
		}},
		{"tls.ca_file", "tls: {ca_file: ca.pem}", "ca.pem", func(c *Config) { c.TLS.CAFile = "ca.pem" }},
		{"forward.hold", "forward: {hold: 3s}", "3s", func(c *Config) { c.Forward.Hold = 3 * time.Second }},
		{"advertise", "advertise: susul-0:7070", "susul-0:7070", func(c *Config) { c.Advertise = "susul-0:7070" }},
	}
	covered := map[string]bool{}
	for _, tc := range cases {
		covered[tc.name] = true
		want := minimal()
		tc.apply(&want)
		for source, src := range map[string]Sources{
			"file":     sources(t, tc.yaml, []string{oneApp}, nil),
			"variable": sources(t, "", []string{oneApp, key{name: tc.name}.env() + "=" + tc.text}, nil),
			"flag":     sources(t, "", []string{oneApp}, []string{"--" + tc.name + "=" + tc.text}),
		} {
			t.Run(tc.name+"/"+source, func(t *testing.T) {
				got, err := Load(src)
				require.NoError(t, err)
				require.Equal(t, want, normal(got))
			})
		}
	}
	for _, k := range keys() { // the rest come in pairs or are structured: see below
		special := k.kind.structured() || strings.Contains(k.name, "[]") || strings.HasSuffix(k.name, "_file") && k.name != "tls.ca_file"
		require.Equal(t, !special, covered[k.name], k.name)
	}
}

// normal leaves out the difference between no items and none configured.
func normal(c Config) Config {
	if len(c.Etcd.Endpoints) == 0 {
		c.Etcd.Endpoints = nil
	}
	if len(c.Admin.Tokens) == 0 {
		c.Admin.Tokens = nil
	}
	if len(c.HTTP.TrustedProxies) == 0 {
		c.HTTP.TrustedProxies = nil
	}
	for i, app := range c.Apps {
		if len(app.Callback.Networks) == 0 {
			c.Apps[i].Callback.Networks = nil
		}
		if len(app.Relay.Secrets) == 0 {
			c.Apps[i].Relay.Secrets = nil
		}
	}
	return c
}

func TestLoadReadsWhatIsMoreThanAScalar(t *testing.T) {
	full := anApp()
	full.BaseURL, full.RequestsPerSecond = "http://127.0.0.1:7099", 2.5
	full.Callback = Callback{Username: "u", Secret: NewSecret("c"), Authorization: NewSecret("Basic x=="),
		Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.7/32")}}
	full.Relay = AppRelay{Username: "v", Secrets: []Secret{NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), NewSecret("the-old,the-old!")}}
	const fullYAML = `[{app_key: k, master_secret: s, base_url: "http://127.0.0.1:7099", requests_per_second: 2.5,
  callback: {username: u, secret: c, authorization: "Basic x==", networks: [203.0.113.0/24, 198.51.100.7]},
  relay: {username: v, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, "the-old,the-old!"]}}]`
	withApp := func(c *Config) { c.Apps = []App{full} }
	cases := map[string]struct {
		yaml          string
		environ, args []string
		apply         func(*Config)
	}{
		"apps in the file":          {"apps: " + fullYAML, nil, nil, withApp},
		"apps in YAML":              {"", []string{"SUSUL_APPS=" + fullYAML}, nil, withApp},
		"apps replace, not merge":   {"apps: [{app_key: other}]", []string{"SUSUL_APPS=" + fullYAML}, nil, withApp},
		"keys with a dot":           {"apps: [{app_key: k, master_secret: s}]\nclock.speed: 2", nil, nil, func(c *Config) { c.Clock.Speed = 2 }},
		"a key without value":       {"grpc:\ndata_dir:\nlog: {level: }", []string{oneApp}, nil, func(*Config) {}},
		"variables of others":       {"", []string{oneApp, "PATH=/bin", "SUSULX=1", "broken"}, nil, func(*Config) {}},
		"variables of a cluster":    {"", []string{oneApp, "SUSUL_PORT=tcp://10.0.0.1:7070", "SUSUL_HTTP_SERVICE_HOST=10.0.0.1", "SUSUL_SERVICE_PORT_GRPC=7070", "SUSUL_PORT_7070_TCP_ADDR=10.0.0.1"}, nil, func(*Config) {}},
		"a flag without value":      {"", []string{oneApp}, []string{"--relay.allow_private_networks"}, func(c *Config) { c.Relay.AllowPrivateNetworks = true }},
		"a repeated flag":           {"", []string{oneApp}, []string{"--etcd.endpoints=a:1,b:2", "--etcd.endpoints", "c:3"}, func(c *Config) { c.Etcd.Endpoints = []string{"a:1", "b:2", "c:3"} }},
		"two interfaces, one port":  {"", []string{oneApp, "SUSUL_OPS_LISTEN=127.0.0.2:7070"}, nil, func(c *Config) { c.Ops.Listen = "127.0.0.2:7070" }},
		"any port three times":      {"grpc: {listen: ':0'}\nhttp: {listen: ':0'}\nops: {listen: ':0'}", []string{oneApp}, nil, func(c *Config) { c.GRPC.Listen, c.HTTP.Listen, c.Ops.Listen, c.Advertise = ":0", ":0", ":0", ":0" }},
		"an empty variable, a list": {"etcd: {endpoints: ['a:1']}", []string{oneApp, "SUSUL_ETCD_ENDPOINTS="}, nil, func(*Config) {}},
		"TLS": {"tls: {cert_file: c.pem}", []string{oneApp, "SUSUL_TLS_KEY_FILE=k.pem"}, nil, func(c *Config) {
			c.TLS = TLS{CertFile: "c.pem", KeyFile: "k.pem"}
		}},
		"statuses in the file": {"callbacks: {statuses: {opened: CLICKED, a.b: FAILED}}", []string{oneApp}, nil, func(c *Config) {
			c.Callbacks.Statuses = map[string]storage.Milestone{"opened": storage.Clicked, "a.b": storage.Failed}
		}},
		"statuses in a variable replace": {"callbacks: {statuses: {opened: CLICKED}}", []string{oneApp, `SUSUL_CALLBACKS_STATUSES={"seen":"DISPLAYED"}`}, nil, func(c *Config) {
			c.Callbacks.Statuses = map[string]storage.Milestone{"seen": storage.Displayed}
		}},
		"dead tokens in the file": {"callbacks: {dead_tokens: {gone: GONE, 30001: UNREGISTERED, target_invalid: ''}}", []string{oneApp}, nil, func(c *Config) {
			c.Callbacks.DeadTokens = map[string]string{"gone": "GONE", "30001": "UNREGISTERED", "target_invalid": ""}
		}},
		"dead tokens in a variable": {"", []string{oneApp, `SUSUL_CALLBACKS_DEAD_TOKENS={30001: "UNREGISTERED"}`}, nil, func(c *Config) {
			c.Callbacks.DeadTokens = map[string]string{"30001": "UNREGISTERED"}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := minimal()
			tc.apply(&want)
			got, err := Load(sources(t, tc.yaml, tc.environ, tc.args))
			require.NoError(t, err)
			require.Equal(t, want, normal(got))
		})
	}
}

func TestPostsAreSignedAsEngageLabsCallbacksAreIfNothingElseIsSaid(t *testing.T) {
	const secret, other = "0123456789abcdef", "fedcba9876543210"
	for name, tc := range map[string]struct {
		app  string
		want AppRelay
	}{
		"nothing":             {"", AppRelay{}},
		"only networks":       {"callback: {networks: [10.0.0.0/8]}", AppRelay{}},
		"only authorization":  {"callback: {authorization: x}", AppRelay{}},
		"EngageLab's":         {"callback: {username: e, secret: x}", AppRelay{"e", []Secret{NewSecret("x")}}},
		"own secret":          {"relay: {secrets: [" + secret + "]}", AppRelay{"susul", []Secret{NewSecret(secret)}}},
		"own name and secret": {"relay: {username: o, secrets: [" + secret + "]}", AppRelay{"o", []Secret{NewSecret(secret)}}},
		"own secrets, EngageLab's name": {"callback: {username: e, secret: x}, relay: {secrets: [" + secret + ", " + other + "]}",
			AppRelay{"e", []Secret{NewSecret(secret), NewSecret(other)}}},
		"own name, EngageLab's secret": {"callback: {username: e, secret: x}, relay: {username: o}",
			AppRelay{"o", []Secret{NewSecret("x")}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Load(sources(t, "apps: [{app_key: k, master_secret: s, "+tc.app+"}]", nil, nil))
			require.NoError(t, err)
			require.Equal(t, tc.want, normal(got).Apps[0].Relay)
		})
	}
}

func TestLaterSourcesWin(t *testing.T) {
	const inFile = "clock: {speed: 2}"
	variable, flag := "SUSUL_CLOCK_SPEED=3", "--clock.speed=4"
	for name, tc := range map[string]struct {
		src  Sources
		want float64
	}{
		"default":                  {sources(t, "", []string{oneApp}, nil), 1},
		"file over default":        {sources(t, inFile, []string{oneApp}, nil), 2},
		"environment over file":    {sources(t, inFile, []string{oneApp, variable}, nil), 3},
		"flag over environment":    {sources(t, inFile, []string{oneApp, variable}, []string{flag}), 4},
		"flag over file":           {sources(t, inFile, []string{oneApp}, []string{flag}), 4},
		"the default, as a flag":   {sources(t, inFile, []string{oneApp, variable}, []string{"--clock.speed=1"}), 1},
		"variable over a variable": {sources(t, "", []string{oneApp, variable, "SUSUL_CLOCK_SPEED=5"}, nil), 5},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Load(tc.src)
			require.NoError(t, err)
			require.InDelta(t, tc.want, got.Clock.Speed, 0)
		})
	}
}

func TestLoadTakesTheFileFromTheFlag(t *testing.T) {
	src := sources(t, "clock: {speed: 2}", []string{oneApp}, nil)
	require.NoError(t, src.Flags.Parse([]string{"--config", src.File}))
	src.File = ""
	got, err := Load(src)
	require.NoError(t, err)
	require.InDelta(t, 2, got.Clock.Speed, 0)
}

func TestFlagsOfACommandShowTheTable(t *testing.T) {
	cmd := &cobra.Command{Use: "serve", Run: func(*cobra.Command, []string) {}}
	RegisterFlags(cmd.Flags())
	cmd.Flags().Int("unrelated", 0, "a flag of the command's own")
	require.NoError(t, cmd.ParseFlags([]string{"--unrelated=3", "--log.level=debug"}))
	got, err := Load(Sources{Environ: []string{oneApp}, Flags: cmd.Flags()})
	require.NoError(t, err)
	require.Equal(t, slog.LevelDebug, got.Log.Level)

	usage := cmd.Flags().FlagUsages()
	require.Contains(t, usage, "--config")
	require.Regexp(t, `--grpc.listen string +host:port of the gRPC API \(default "127\.0\.0\.1:7070"\)`, usage)
	require.Regexp(t, `--shutdown.timeout duration .*\(default 20s\)`, usage)
	require.NotContains(t, usage, "--apps")
	require.NotContains(t, usage, "--groups")
	require.NotContains(t, usage, "--callbacks.statuses")
	require.NotContains(t, usage, "--callbacks.dead_tokens")
}

func TestTheTableFitsTheStructs(t *testing.T) {
	var inTable, inStructs, variables []string
	for _, k := range keys() {
		require.NotEmpty(t, k.help, k.name)
		inTable = append(inTable, k.name)
		variables = append(variables, k.env())
	}
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := prefix + f.Tag.Get("koanf")
			switch {
			case f.Type == reflect.TypeFor[Secret]() || f.Type.Kind() != reflect.Struct:
				inStructs = append(inStructs, name)
			default:
				walk(name+".", f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	walk(appPrefix, reflect.TypeFor[App]())
	walk(groupPrefix, reflect.TypeFor[Group]())
	require.ElementsMatch(t, inTable, inStructs)
	slices.Sort(variables)
	require.Len(t, slices.Compact(variables), len(inTable), "two keys share a variable")
}

func TestTheExampleIsCompleteAndLoads(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "susul.example.yaml")
	got, err := Load(Sources{File: path})
	require.NoError(t, err)

	want := minimal()
	want.PublicURL = "https://susul.example.com"
	want.Admin.Tokens = []Secret{NewSecret("replace-this-token-by-your-own")}
	want.Apps[0].AppKey, want.Apps[0].MasterSecret = "your-app-key", NewSecret("your-master-secret")
	want.Apps[0].Callback = Callback{Username: "susul", Secret: NewSecret("your-callback-secret")}
	want.Apps[0].Relay = AppRelay{Username: "susul", Secrets: []Secret{NewSecret("your-callback-secret")}}
	want.Groups = []Group{{GroupKey: "your-group-key", MasterSecret: NewSecret("your-groups-master-secret"), BaseURL: defaultBaseURL}}
	want.Callbacks.Statuses = map[string]storage.Milestone{"opened": storage.Clicked}
	want.Callbacks.DeadTokens = map[string]string{"uninstalled": "UNINSTALLED"}
	require.Equal(t, want, normal(got), "the example must show the defaults")

	l := newLoader()
	l.loadFile(path)
	require.Empty(t, l.faults.list)
	for name := range l.server.keys {
		require.Contains(t, l.origin, name, "the example must mention every key")
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var written struct{ Apps, Groups []map[string]any }
	require.NoError(t, yaml.Unmarshal(content, &written))
	for _, example := range []struct {
		of    schema
		items []map[string]any
	}{{l.app, written.Apps}, {l.group, written.Groups}} {
		require.Len(t, example.items, 1)
		mentioned := l.flatten(example.of, place{}, example.items[0])
		for name := range example.of.keys {
			require.Contains(t, mentioned, name, "the example must mention every key")
		}
	}
}
