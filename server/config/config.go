// Package config reads Susul's configuration: defaults, then a YAML file, then SUSUL_… environment variables, then
// flags, each laid over what came before. A later source replaces a key's whole value, lists and maps included.
//
// The table in keys.go is the single source of every key's name, default and help. Load refuses a configuration with
// everything that is wrong with it at once, so that three mistakes cost one attempt.
package config

import (
	"cmp"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"susul.dev/susul/storage"
)

// The words that choose a storage driver and a log format.
const (
	DriverSQLite   = "sqlite"
	DriverPostgres = "postgres"

	FormatJSON = "json"
	FormatText = "text"
)

// Config is everything that a server is told from outside. What Load returns is complete and valid.
type Config struct {
	// DataDir is the directory for everything that the server keeps. Default "data", under the working directory.
	DataDir string `koanf:"data_dir"`
	// GRPC is where the gRPC API listens. Default 127.0.0.1:7070.
	GRPC Listener `koanf:"grpc"`
	// HTTP is where the REST APIs and EngageLab's callbacks are served. Default 127.0.0.1:7080.
	HTTP HTTP `koanf:"http"`
	// Ops is where metrics, health and profiles are served. Default 127.0.0.1:7090.
	Ops Listener `koanf:"ops"`
	// PublicURL is where EngageLab reaches HTTP from outside. Empty: callbacks must be configured at EngageLab.
	PublicURL string `koanf:"public_url"`
	// TLS is the certificate of the gRPC and HTTP listeners. Empty: plain text.
	TLS TLS `koanf:"tls"`
	// Storage says where pushes, recipients and events are kept.
	Storage Storage `koanf:"storage"`
	// Etcd says where policies are kept and the leader is elected.
	Etcd Etcd `koanf:"etcd"`
	// Admin says who may manage policies and see every app.
	Admin Admin `koanf:"admin"`
	// Apps are the EngageLab applications that are served: at least one, no app key twice.
	Apps []App `koanf:"apps"`
	// Groups are EngageLab's groups of apps, whose credentials push to all apps of a group at once. Default none.
	Groups []Group `koanf:"groups"`
	// Callbacks says how EngageLab's reports are understood.
	Callbacks Callbacks `koanf:"callbacks"`
	// Relay says how events are forwarded.
	Relay Relay `koanf:"relay"`
	// Clock is the server's time.
	Clock Clock `koanf:"clock"`
	// Log says what is logged and how.
	Log Log `koanf:"log"`
	// Shutdown limits how long stopping may take.
	Shutdown Shutdown `koanf:"shutdown"`
	// Forward says how calls reach the node that leads.
	Forward Forward `koanf:"forward"`
	// Advertise is the host:port of the gRPC API that other nodes are told when this one leads. Default grpc.listen as
	// it is written: if that has port 0, only the listener knows the port.
	Advertise string `koanf:"advertise"`
}

// Listener is one address to listen on.
type Listener struct {
	// Listen is host:port. No host means all interfaces, port 0 any free port.
	Listen string `koanf:"listen"`
}

// HTTP is the listener of the REST APIs and of EngageLab's callbacks.
type HTTP struct {
	// Listen is as a Listener's.
	Listen string `koanf:"listen"`
	// TrustedProxies are the networks of the proxies whose X-Forwarded-For header is believed. Default none.
	TrustedProxies []netip.Prefix `koanf:"trusted_proxies"`
}

// TLS names a certificate and its key: both or neither.
type TLS struct {
	// CertFile is a PEM file with the certificate and those that lead to its root.
	CertFile string `koanf:"cert_file"`
	// KeyFile is a PEM file with the certificate's private key.
	KeyFile string `koanf:"key_file"`
	// CAFile is a PEM file with the certificates by which the node that leads is verified. Empty: the system's.
	CAFile string `koanf:"ca_file"`
}

// Enabled reports whether a certificate is configured.
func (t TLS) Enabled() bool { return t.CertFile != "" }

// Storage names a backend.
type Storage struct {
	// Driver is DriverSQLite or DriverPostgres.
	Driver string `koanf:"driver"`
	// DSN is the path of SQLite's database, by default susul.db in DataDir; or PostgreSQL's connection string or URL, which has no
	// default and may hold a password.
	DSN Secret `koanf:"dsn"`
	// Connections is how many a node has to PostgreSQL, at most; 4 to 1000. Default 16.
	Connections int `koanf:"connections"`
	// Memory is how many MiB the recipients of pushes under way may take in memory with SQLite, about; above 0. Default 1024: a
	// million of them takes about 30 MiB. What was not needed for the longest gives way.
	Memory int `koanf:"memory"`
	// Retention is how long events, held callbacks and pushes' recipients are kept, in the clock's time; 0 for ever.
	// Default 2160h, 90 days. Pushes keep their reports.
	Retention time.Duration `koanf:"retention"`
}

// Forward says how calls reach the node that leads.
type Forward struct {
	// Hold is how long a call waits for a node that leads, in real time; above 0. Default 10s.
	Hold time.Duration `koanf:"hold"`
}

// Etcd names a cluster.
type Etcd struct {
	// Endpoints are URLs or host:port. None: an embedded etcd in DataDir.
	Endpoints []string `koanf:"endpoints"`
}

// Admin holds administrators' credentials.
type Admin struct {
	// Tokens are bearer tokens of at least 16 characters. None: nobody is an administrator.
	Tokens []Secret `koanf:"tokens"`
}

// App is one EngageLab application.
type App struct {
	// AppKey is EngageLab's name for the app.
	AppKey string `koanf:"app_key"`
	// MasterSecret is the password that goes with AppKey, towards EngageLab and from the app's own services.
	MasterSecret Secret `koanf:"master_secret"`
	// BaseURL is the app's data centre. Default https://pushapi-sgp.engagelab.com (Singapore).
	BaseURL string `koanf:"base_url"`
	// RequestsPerSecond is the quota at EngageLab, above 0. Default 500.
	RequestsPerSecond float64 `koanf:"requests_per_second"`
	// DeleteInvalidDevices has devices whose tokens are dead deleted at EngageLab. Default false.
	DeleteInvalidDevices bool `koanf:"delete_invalid_devices"`
	// Callback says what EngageLab's callbacks must prove. Empty: nothing.
	Callback Callback `koanf:"callback"`
	// Relay says how what is posted to the callback URLs of the app's pushes is signed.
	Relay AppRelay `koanf:"relay"`
}

// Group is one of EngageLab's groups of apps.
type Group struct {
	// GroupKey is EngageLab's name for the group, without the prefix "group-" that callers put before it.
	GroupKey string `koanf:"group_key"`
	// MasterSecret is the password that goes with GroupKey.
	MasterSecret Secret `koanf:"master_secret"`
	// BaseURL is the data centre of the group's apps. Default https://pushapi-sgp.engagelab.com (Singapore).
	BaseURL string `koanf:"base_url"`
}

// Callback says what an app's callbacks must prove. All that is set must hold; what is not is not asked for.
type Callback struct {
	// Username is the name in the signature, Secret its key: both or neither.
	Username string `koanf:"username"`
	Secret   Secret `koanf:"secret"`
	// Authorization is the value that the Authorization header must have.
	Authorization Secret `koanf:"authorization"`
	// Networks are where callbacks may come from.
	Networks []netip.Prefix `koanf:"networks"`
}

// Open reports whether anybody may post callbacks.
func (c Callback) Open() bool {
	return c.Secret.Empty() && c.Authorization.Empty() && len(c.Networks) == 0
}

// AppRelay says how what is posted to the callback URLs of an app's pushes is signed. Subscriptions have secrets of their own.
type AppRelay struct {
	// Username is the name in X-CALLBACK-ID. Default: the callback's, or else susul.
	Username string `koanf:"username"`
	// Secrets are one or two, the newest first. Default: the callback's, so that a receiver that checks EngageLab's signatures
	// goes on working. None: nothing is signed.
	Secrets []Secret `koanf:"secrets"`
}

// Callbacks says how EngageLab's reports are checked, and what its words mean.
type Callbacks struct {
	// MaxAge is how old a signature may be, in real time; 0 for any age and any time ahead. Default 2h: EngageLab
	// repeats a callback for up to 97 minutes.
	MaxAge time.Duration `koanf:"max_age"`
	// MaxAhead is how far a signature may be ahead of this machine's clock, in real time. Default 5m.
	MaxAhead time.Duration `koanf:"max_ahead"`
	// Nonces is how many signatures are remembered for each app, so that none is used for a second body. 0: none.
	// Default 1,000,000.
	Nonces int `koanf:"nonces"`
	// HeldRows is how many rows are held for each app and reason, about; above 0. Default 1,000,000. Beyond it, rows of
	// unknown recipients are dropped, and with rows of unknown messages EngageLab is told to come again.
	HeldRows int `koanf:"held_rows"`
	// ExternalPushes is how many pushes that were made elsewhere are recorded for each app in an hour of the clock's,
	// about. Default 10,000. The callbacks of further ones are held until their turn comes.
	ExternalPushes int `koanf:"external_pushes"`
	// Statuses maps EngageLab's status names to milestones; it extends the built-in table and wins over it.
	Statuses map[string]storage.Milestone `koanf:"statuses"`
	// DeadTokens maps the statuses and error codes of failures by which a device's token is dead to reasons; it extends the
	// built-in table and wins over it. An empty reason takes an entry away. A status that no table maps is a failure.
	DeadTokens map[string]string `koanf:"dead_tokens"`
}

// Relay says how events are forwarded to callback URLs and subscriptions.
type Relay struct {
	// AllowPrivateNetworks lets events go to loopback and private addresses. Default false.
	AllowPrivateNetworks bool `koanf:"allow_private_networks"`
	// MaxAge is how long an event is tried before it is a dead letter, in the clock's time; above 0. Default 72h.
	MaxAge time.Duration `koanf:"max_age"`
	// Timeout is how long a receiver may take to answer, in real time; above 0. Default 15s.
	Timeout time.Duration `koanf:"timeout"`
}

// Clock is the server's time.
type Clock struct {
	// Speed is how many seconds pass in one real second, above 0. Default 1.
	Speed float64 `koanf:"speed"`
}

// Log says what is logged and how.
type Log struct {
	// Level is the least level that is logged. Default info.
	Level slog.Level `koanf:"level"`
	// Format is FormatJSON (default) or FormatText.
	Format string `koanf:"format"`
}

// Shutdown limits how long stopping may take.
type Shutdown struct {
	// Timeout is the real time that running requests get to finish, above 0. Default 20s.
	Timeout time.Duration `koanf:"timeout"`
}

// complete fills in the defaults that follow from other keys.
func (c *Config) complete() {
	if c.Storage.DSN.Empty() && c.Storage.Driver == DriverSQLite {
		c.Storage.DSN = NewSecret(filepath.Join(c.DataDir, "susul.db"))
	}
	if c.Advertise == "" {
		c.Advertise = c.GRPC.Listen
	}
	for i := range c.Apps {
		c.Apps[i].complete()
	}
}

// complete has posts signed as EngageLab signs, where nothing else is said.
func (a *App) complete() {
	if len(a.Relay.Secrets) == 0 && !a.Callback.Secret.Empty() {
		a.Relay.Secrets = []Secret{a.Callback.Secret}
	}
	if a.Relay.Username == "" && len(a.Relay.Secrets) > 0 {
		a.Relay.Username = cmp.Or(a.Callback.Username, defaultUsername)
	}
}
