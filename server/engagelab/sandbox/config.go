package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/jonboulle/clockwork"
)

// Config says what a Sandbox stands in for.
type Config struct {
	// Apps maps app keys to master secrets. At least one.
	Apps map[string]string
	// Groups maps group keys to master secrets. Each group has all apps in it.
	Groups   map[string]string
	Callback Callback
	// Devices is the size of the population that "all", tags, aliases and segments draw from; at most 1,000,000.
	Devices int
	// Seed decides the population and how every device behaves.
	Seed  uint64
	Clock clockwork.Clock // the real clock if nil
	// CallbackLoss is the share of callback rows that get lost on their way, as if every try had failed, while the statistics
	// know what happened. SetCallbackLoss changes it.
	CallbackLoss float64
	// Behaviour of the devices; DefaultBehaviour if it is the zero value.
	Behaviour Behaviour
	// RequestsPerSecond is each app's quota, in the clock's time; 0 means 500.
	RequestsPerSecond int
	Logger            *slog.Logger // discards if nil
}

// Callback is where the Sandbox reports to, besides a push's own callback_url, and as whom it signs: every callback is
// signed if Username and Secret are set.
type Callback struct {
	// URL is none if empty. {app_key} in it stands for the app's key, since at EngageLab each app has an address of its own.
	URL              string
	Username, Secret string
}

// Behaviour is how devices take to messages. Shares and rates lie between 0 and 1; a moment is drawn evenly within its
// duration.
type Behaviour struct {
	// DeadShare of the devices has a dead token: what is sent to them fails.
	DeadShare float64
	// OfflineShare of the devices is offline when its first message is sent, for OfflineMin to OfflineMax. A message
	// whose time to live ends before that is dropped without a report, as in life.
	OfflineShare           float64
	OfflineMin, OfflineMax time.Duration
	// DeliverWithin is counted from the sending.
	DeliverWithin time.Duration
	// DisplayRate of what is delivered is displayed, DisplayWithin of the delivery.
	DisplayRate   float64
	DisplayWithin time.Duration
	// ClickRate of what is displayed is clicked, ClickWithin of the display.
	ClickRate   float64
	ClickWithin time.Duration
}

// DefaultBehaviour is that of a middling audience.
func DefaultBehaviour() Behaviour {
	return Behaviour{
		DeadShare:     0.03,
		OfflineShare:  0.15,
		OfflineMin:    time.Hour,
		OfflineMax:    8 * time.Hour,
		DeliverWithin: time.Minute,
		DisplayRate:   0.6,
		DisplayWithin: 45 * time.Minute,
		ClickRate:     0.25,
		ClickWithin:   time.Hour,
	}
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	if c.Behaviour == (Behaviour{}) {
		c.Behaviour = DefaultBehaviour()
	}
	if c.RequestsPerSecond == 0 {
		c.RequestsPerSecond = 500
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate reports every fault at once.
func (c Config) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("sandbox: "+format, args...))
		}
	}
	check(len(c.Apps) > 0, "there is no app")
	for key, secret := range c.Apps {
		check(key != "" && secret != "", "app %q needs a key and a secret", key)
	}
	for key, secret := range c.Groups {
		check(key != "" && secret != "", "group %q needs a key and a secret", key)
	}
	if c.Callback.URL != "" {
		check(isWebAddress(c.Callback.URL), "the callback URL %q is not an http or https address", c.Callback.URL)
	}
	check((c.Callback.Username == "") == (c.Callback.Secret == ""), "a callback username and secret go together")
	check(c.Devices >= 0 && c.Devices <= maxDevices, "devices must be 0 to %d, not %d", maxDevices, c.Devices)
	check(c.RequestsPerSecond > 0, "requests per second must be positive, not %d", c.RequestsPerSecond)
	for name, share := range map[string]float64{
		"dead share": c.Behaviour.DeadShare, "offline share": c.Behaviour.OfflineShare,
		"display rate": c.Behaviour.DisplayRate, "click rate": c.Behaviour.ClickRate, "callback loss": c.CallbackLoss,
	} {
		check(share >= 0 && share <= 1, "the %s must be 0 to 1, not %v", name, share)
	}
	for name, span := range map[string]time.Duration{
		"shortest offline time": c.Behaviour.OfflineMin, "delivery time": c.Behaviour.DeliverWithin,
		"display time": c.Behaviour.DisplayWithin, "click time": c.Behaviour.ClickWithin,
	} {
		check(span >= 0, "the %s must not be negative", name)
	}
	check(c.Behaviour.OfflineMax >= c.Behaviour.OfflineMin, "the longest offline time is below the shortest")
	return errors.Join(faults...)
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
