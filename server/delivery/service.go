package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// Sender is what delivery needs of an app's EngageLab client.
type Sender interface {
	Push(ctx context.Context, document []byte) (engagelab.PushResponse, error)
	Validate(ctx context.Context, document []byte) (engagelab.PushResponse, error)
	Withdraw(ctx context.Context, msgID string) (engagelab.PushResponse, error)
	BatchPush(ctx context.Context, kind engagelab.BatchKind, document []byte, targets int) (engagelab.BatchResponse, error)
	StatusMessage(ctx context.Context, messageID string, registrationIDs []string) (map[string]engagelab.StatusMessage, error)
	StatusDetail(ctx context.Context, messageIDs []string) (map[string]engagelab.StatusDetail, error)
	StatusBatch(ctx context.Context, messageIDs []string) ([]json.RawMessage, error)
	DeleteDevice(ctx context.Context, registrationID string) error
}

// Policies is what delivery needs of the resend policies.
type Policies interface {
	Snapshot() *policy.Snapshot
	// Update is policy.Store's.
	Update(ctx context.Context, revision int64, id string, mutate func(policy.Policy) (policy.Policy, error)) (policy.Policy, error)
}

// App is one EngageLab application.
type App struct {
	Sender Sender
	// CallbackURL is where EngageLab is to report this app's pushes; empty for where its console says.
	CallbackURL string
	// RequestsPerSecond is the app's quota at EngageLab. Default engagelab.DefaultRequestsPerSecond.
	RequestsPerSecond float64
	// DeleteInvalidDevices has devices whose tokens are dead deleted at EngageLab.
	DeleteInvalidDevices bool
}

// quota is how many units the app has in a second of the clock's.
func (a App) quota() float64 {
	if a.RequestsPerSecond <= 0 {
		return engagelab.DefaultRequestsPerSecond
	}
	return a.RequestsPerSecond
}

// CallbackURLs decides about the URLs that pushes want their events posted to.
type CallbackURLs interface {
	// Accepts returns an error if a push of the app may not name them.
	Accepts(ctx context.Context, app string, urls []string) error
}

// GroupSender is what delivery needs of a group's EngageLab client.
type GroupSender interface {
	GroupPush(ctx context.Context, document []byte) (map[string]json.RawMessage, error)
}

// Options are what a Service needs. All but Groups, CallbackURLs, Statuses, DeadTokens and the bounds
// are required.
type Options struct {
	Store    storage.Store
	Policies Policies
	Apps     map[string]App // by app key
	// Groups push to all apps of a group at once; by group key. May be nil.
	Groups map[string]GroupSender
	// CallbackURLs may be nil: pushes may name any.
	CallbackURLs CallbackURLs
	Clock        clockwork.Clock
	Logger       *slog.Logger
	Metrics      *Metrics
	// Statuses adds to, and overrides, the known names of EngageLab's statuses.
	Statuses map[string]storage.Milestone
	// DeadTokens adds to, and overrides, the statuses and error codes of failures by which a device's token is known to be dead:
	// reasons by status, or by code in decimal. An empty reason takes one away.
	DeadTokens map[string]string
	// ClaimLease is how long a claimed dispatch belongs to its claimer, in the clock's time. Default 2 min.
	ClaimLease time.Duration
	// AnswerWithin is how long CreatePush waits for EngageLab's answer, in real time. Default 3 s.
	AnswerWithin time.Duration
	// Retention is how long events, held callbacks and recipients are kept, in the clock's time; 0 for ever.
	Retention time.Duration
	// ExternalPushes is how many pushes that were made elsewhere are recorded for each app in an hour of the clock's, about.
	// Default 10,000; negative for none.
	ExternalPushes int
	// SendersPerApp bounds the requests to EngageLab in flight. Default 32.
	SendersPerApp int
	// Nodes is how many nodes send and share the apps' quotas; nil: one.
	Nodes func() int
}

// Service carries messages through their life. Run must be running for anything to be sent, on each node that is to send; RunLeader
// somewhere, over a store that leads, beside a schedule.Loop. A node may do both with one Service, or with two over handles of one
// database.
type Service struct {
	Options
	statuses map[string]storage.Milestone
	dead     deadTokens
	outbox   map[string]*dispatcher   // by app key; fixed
	external map[string]*rate.Limiter // likewise; of the pushes that are recorded, in the clock's time
	waiting  waiters
	compiled compiledPolicies
	// reconciliations are the comparisons with EngageLab's statistics that are under way.
	reconciliations reconciliations
	judging         judging
	// hurried is closed when the node stops: callers get what is certain already.
	hurried chan struct{}
	hurry   sync.Once
	// backtests holds a token for each that runs.
	backtests chan struct{}
	// stepsDue gets a signal when steps may have become due earlier than was known.
	stepsDue chan struct{}
	// strays gets a signal when callbacks of a message came that is not known.
	strays chan struct{}
}

// New returns a Service that is not running yet.
func New(o Options) *Service {
	setDefault(&o.ClaimLease, 2*time.Minute)
	setDefault(&o.AnswerWithin, 3*time.Second)
	setDefault(&o.SendersPerApp, 32)
	setDefault(&o.ExternalPushes, 10_000)
	if o.Nodes == nil {
		o.Nodes = func() int { return 1 }
	}
	dead := knownDeadTokens(o.DeadTokens)
	s := &Service{
		Options:   o,
		statuses:  knownStatuses(o.Statuses, dead),
		dead:      dead,
		outbox:    make(map[string]*dispatcher, len(o.Apps)),
		external:  make(map[string]*rate.Limiter, len(o.Apps)),
		hurried:   make(chan struct{}),
		backtests: make(chan struct{}, backtestsAtOnce),
		stepsDue:  make(chan struct{}, 1),
		strays:    make(chan struct{}, 1),
	}
	perHour := max(o.ExternalPushes, 0)
	for key := range o.Apps {
		s.outbox[key] = newDispatcher(s, key)
		s.external[key] = rate.NewLimiter(rate.Every(time.Hour)*rate.Limit(perHour), perHour)
	}
	return s
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run sends what is to be sent until the context ends, then waits for the requests in flight. It returns nil after a
// stop, storage.ErrFenced when another leader has taken over.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, key := range slices.Sorted(maps.Keys(s.outbox)) {
		group.Go(func() error { return s.outbox[key].run(ctx) })
	}
	group.Go(func() error { return s.heedWork(ctx, s.wakeOutboxes) })
	group.Go(func() error { return s.heedAnswers(ctx) })
	group.Go(func() error { return s.runAdoption(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// RunLeader does, besides what a schedule.Loop does, what one node does for all: it forgets what is old, and has dead devices deleted.
// It returns as Run does.
func (s *Service) RunLeader(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.heedWork(ctx, func() { wake(s.stepsDue) }) })
	group.Go(func() error { return s.runRetention(ctx) })
	for _, app := range s.deletingApps() {
		group.Go(func() error { return s.runDeletion(ctx, app) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("lead: %w", err)
	}
	return nil
}

// Hurry answers those who wait for EngageLab's answer to a push that is accepted, now and from now on.
func (s *Service) Hurry() { s.hurry.Do(func() { close(s.hurried) }) }

// StepsDue gets a signal when a step may be due earlier than NextStep last said.
func (s *Service) StepsDue() <-chan struct{} { return s.stepsDue }

// wake puts a signal into a channel of capacity 1, unless one waits there.
func wake(signal chan<- struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
