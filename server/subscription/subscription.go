package subscription

import "time"

// Subscription has an app's events posted to a URL.
type Subscription struct {
	App string `json:"-"` // in the key, as ID is
	ID  string `json:"-"`
	// UID is new with every creation.
	UID         string `json:"uid"`
	DisplayName string `json:"display_name,omitempty"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url"`
	// Filter is a CEL expression; see Filter. Empty is true for every event.
	Filter string `json:"filter,omitempty"`
	Format Format `json:"format,omitempty"`
	// Username is the name in X-CALLBACK-ID; empty is DefaultUsername.
	Username string `json:"username,omitempty"`
	// Secrets are one or two, the newest first.
	Secrets []Secret `json:"secrets"`
	Paused  bool     `json:"paused,omitempty"`
	// MaxConcurrency is 1…32; 0 is DefaultConcurrency.
	MaxConcurrency int `json:"max_concurrency,omitempty"`
	// RequestsPerSecond is in the clock's time; 0 for any number.
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	// Start is the sequence after which its events begin: the latest when it was created.
	Start      int64     `json:"start"`
	CreateTime time.Time `json:"create_time"`
	UpdateTime time.Time `json:"update_time"`
	// Revision is the etcd revision of this version. It is filled in when the subscription is read.
	Revision int64 `json:"-"`
}

// Format is the form of what is posted.
type Format string

// The formats.
const (
	EngageLab        Format = ""
	StandardWebhooks Format = "STANDARD_WEBHOOKS"
)

// The defaults of what a subscription leaves open.
const (
	DefaultUsername    = "susul"
	DefaultConcurrency = 4
)
