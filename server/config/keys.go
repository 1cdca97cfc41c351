package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

const (
	envPrefix = "SUSUL_"
	// migrationPrefix begins the variables of migrate-storage.
	migrationPrefix = envPrefix + "MIGRATE_"
	appPrefix       = "apps[]."
	groupPrefix     = "groups[]."
	configFlag      = "config"
)

// kind is the type of a key's value, named as a flag's help shows it.
type kind string

const (
	text     kind = "string"
	list     kind = "list"
	networks kind = "networks"
	truth    kind = "bool"
	number   kind = "number"
	count    kind = "count"
	duration kind = "duration"
	level    kind = "level"
	statuses kind = "statuses"
	reasons  kind = "reasons"
	apps     kind = "apps"
	groups   kind = "groups"
)

// wants completes the sentence "must be …".
func (k kind) wants() string {
	switch k {
	case list:
		return "a list of texts"
	case networks:
		return "a list of networks, such as 203.0.113.0/24, or addresses"
	case truth:
		return "true or false"
	case number:
		return "a number"
	case count:
		return "a whole number from 0 to 100000000"
	case duration:
		return "a duration with its unit, such as 20s or 1m30s"
	case level:
		return "debug, info, warn or error"
	case statuses:
		return "a map of EngageLab's status names to milestones, in YAML or JSON"
	case reasons:
		return "a map of EngageLab's status names or error codes to reasons, in YAML or JSON"
	case apps:
		return "a list of apps, each " + k.item() + ", in YAML or JSON"
	case groups:
		return "a list of groups, each " + k.item() + ", in YAML or JSON"
	default:
		return "text; put quotes around what looks like a number, a date or a truth value"
	}
}

// item says what an item of a list of apps or groups is.
func (k kind) item() string {
	if k == groups {
		return "a map with group_key and master_secret"
	}
	return "a map with app_key and master_secret"
}

// structured reports whether values of the kind are too rich for the command line.
func (k kind) structured() bool { return k == apps || k == groups || k == statuses || k == reasons }

// key is one row of the table. def is written as in the environment; "" stands for the zero value.
type key struct {
	name string
	kind kind
	def  string
	help string
}

// env returns the name of the variable that sets the key.
func (k key) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.name, ".", "_"))
}

const (
	defaultBaseURL  = "https://pushapi-sgp.engagelab.com"
	defaultUsername = "susul" // in the signature of what is posted
)

// keys returns the table. Rows under "apps[]." and "groups[]." are the keys of one of them.
func keys() []key {
	return []key{
		{"data_dir", text, "data", "directory for everything that the server keeps"},
		{"grpc.listen", text, "127.0.0.1:7070", "host:port of the gRPC API"},
		{"http.listen", text, "127.0.0.1:7080", "host:port of the REST APIs and of EngageLab's callbacks"},
		{"http.trusted_proxies", networks, "", "networks of the proxies whose X-Forwarded-For is believed, comma separated"},
		{"ops.listen", text, "127.0.0.1:7090", "host:port of /metrics, /healthz, /readyz and profiles"},
		{"public_url", text, "", "URL at which EngageLab reaches http.listen from outside, such as https://susul.example.com; " +
			"empty: callbacks must be configured at EngageLab"},
		{"tls.cert_file", text, "", "PEM file with the certificate chain of the gRPC and HTTP listeners; needs tls.key_file"},
		{"tls.key_file", text, "", "PEM file with the certificate's private key; needs tls.cert_file"},
		{"tls.ca_file", text, "", "PEM file with the certificates by which the node that leads is verified; empty: the system's"},
		{"storage.driver", text, DriverSQLite, "where pushes and events are kept: sqlite, or postgres, which any number of nodes share"},
		{"storage.dsn", text, "", "path of SQLite's database, empty: susul.db in data_dir; or PostgreSQL's connection string or URL: other " +
			"users of the machine can see flags, so prefer the file or the environment"},
		{"storage.connections", count, "16", "connections of this node to PostgreSQL, at most"},
		{"storage.memory", count, "1024", "MiB that recipients of pushes under way may take in memory with SQLite, about"},
		{"storage.retention", duration, "2160h", "how long events, held callbacks and recipients are kept; 0s: for ever"},
		{"etcd.endpoints", list, "", "etcd's URLs or host:port, comma separated; empty: an embedded etcd in data_dir"},
		{"admin.tokens", list, "", "administrators' bearer tokens, comma separated, each of at least 16 characters; " +
			"other users of the machine can see flags, so prefer the file or the environment"},
		{"apps", apps, "", "the EngageLab applications to serve, at least one"},
		{appPrefix + "app_key", text, "", "EngageLab's name for the app"},
		{appPrefix + "master_secret", text, "", "the password that goes with app_key"},
		{appPrefix + "base_url", text, defaultBaseURL, "the app's data centre"},
		{appPrefix + "requests_per_second", number, "500", "the app's quota at EngageLab"},
		{appPrefix + "delete_invalid_devices", truth, "false", "delete devices whose tokens are dead at EngageLab"},
		{appPrefix + "callback.username", text, "", "name in the signature of EngageLab's callbacks; needs callback.secret"},
		{appPrefix + "callback.secret", text, "", "key of the signature of EngageLab's callbacks; needs callback.username"},
		{appPrefix + "callback.authorization", text, "", "value that the Authorization header of EngageLab's callbacks must have"},
		{appPrefix + "callback.networks", networks, "", "networks that EngageLab's callbacks may come from; empty: any"},
		{appPrefix + "relay.username", text, "", "name in the signature of what is posted to callback URLs of the app's pushes; " +
			"empty: callback.username, or else " + defaultUsername},
		{appPrefix + "relay.secrets", list, "", "one or two secrets to sign with what is posted to callback URLs of the app's pushes, " +
			"the newest first; empty: callback.secret"},
		{"groups", groups, "", "EngageLab's groups of apps, for pushes to all apps of a group"},
		{groupPrefix + "group_key", text, "", "EngageLab's name for the group, without group- before it"},
		{groupPrefix + "master_secret", text, "", "the password that goes with group_key"},
		{groupPrefix + "base_url", text, defaultBaseURL, "the data centre of the group's apps"},
		{"callbacks.max_age", duration, "2h", "how old the signature of a callback may be; 0s: any age"},
		{"callbacks.max_ahead", duration, "5m", "how far the signature of a callback may be ahead of this machine's clock"},
		{"callbacks.nonces", count, "1000000", "signatures of callbacks that are remembered for each app, in about 40 bytes " +
			"each, so that none is used for a second body; 0: none"},
		{"callbacks.held_rows", count, "1000000", "rows of unknown messages, and as many of unknown recipients, that are held for " +
			"each app, about"},
		{"callbacks.external_pushes", count, "10000", "pushes made elsewhere that are recorded for each app in an hour, about; " +
			"callbacks of further ones are held"},
		{"callbacks.statuses", statuses, "", "milestones for EngageLab's status names, over the built-in table"},
		{"callbacks.dead_tokens", reasons, "", "reasons for which a device's token is dead, by the statuses and error codes of " +
			"failures, over the built-in table"},
		{"relay.allow_private_networks", truth, "false", "let events go to loopback and private addresses"},
		{"relay.max_age", duration, "72h", "how long an event is tried before it is a dead letter"},
		{"relay.timeout", duration, "15s", "how long a receiver of events may take to answer"},
		{"clock.speed", number, "1", "seconds that pass in one real second"},
		{"log.level", level, "info", "least level that is logged: debug, info, warn or error"},
		{"log.format", text, FormatJSON, "json or text"},
		{"shutdown.timeout", duration, "20s", "time that running requests get to finish"},
		{"forward.hold", duration, "10s", "how long a call waits for a node that leads"},
		{"advertise", text, "", "host:port of the gRPC API for other nodes when this one leads; empty: grpc.listen"},
	}
}

// schema is the part of the table that describes the server, one app or one group: names without their prefix.
type schema struct {
	keys     map[string]key
	sections map[string]bool // what stands before a dot in a name
}

func newSchema(prefix string) schema {
	s := schema{keys: map[string]key{}, sections: map[string]bool{}}
	for _, k := range keys() {
		name, ok := strings.CutPrefix(k.name, prefix)
		if !ok || strings.Contains(name, "[]") {
			continue
		}
		k.name = name
		s.keys[name] = k
		if section, _, nested := strings.Cut(name, "."); nested {
			s.sections[section] = true
		}
	}
	return s
}

// names returns the names of all keys and sections, sorted.
func (s schema) names() []string {
	var names []string
	for name := range s.keys {
		names = append(names, name)
	}
	for name := range s.sections {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// RegisterFlags adds --config and a flag for every key that fits on a command line. Apps, groups, callbacks.statuses and
// callbacks.dead_tokens do not: a list of secrets belongs into the file or the environment.
func RegisterFlags(flags *pflag.FlagSet) {
	flags.String(configFlag, "", "YAML file to read the configuration from")
	for _, k := range keys() {
		if k.kind.structured() || strings.Contains(k.name, "[]") {
			continue
		}
		f := flags.VarPF(&flagText{kind: k.kind, text: k.def}, k.name, "", k.help)
		if k.kind == truth {
			f.NoOptDefVal = "true"
		}
	}
}

// flagText keeps a flag as it was written: Load reads it as it reads a variable, so that a flag's fault is reported
// together with all others.
type flagText struct {
	kind kind
	text string
	set  bool
}

func (v *flagText) String() string { return v.text }
func (v *flagText) Type() string   { return string(v.kind) }

// Set takes the text. A list's flag can be repeated.
func (v *flagText) Set(s string) error {
	if (v.kind == list || v.kind == networks) && v.set {
		s = v.text + "," + s
	}
	v.text, v.set = s, true
	return nil
}
