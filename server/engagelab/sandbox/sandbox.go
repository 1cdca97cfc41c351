package sandbox

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"susul.dev/susul/server/engagelab"
)

const (
	maxDevices   = 1_000_000
	maxCIDs      = 1_000_000 // remembered for each app
	maxAddresses = 1_000     // of callbacks, over the sandbox's life
)

// ErrRunning is returned by a Run that is not the first.
var ErrRunning = errors.New("sandbox: it runs only once")

// Sandbox stands in for EngageLab. Its Handler accepts requests at any time; devices react and callbacks go out while
// Run runs. It is safe for concurrent use.
type Sandbox struct {
	cfg        Config
	population []string
	client     *http.Client // posts callbacks
	wake       chan struct{}
	started    atomic.Bool
	unacked    atomic.Int64 // callback rows
	dropped    atomic.Int64 // callback rows

	mu        sync.Mutex // guards what follows, and everything that hangs from it
	apps      map[string]*app
	messages  map[int64]*message
	devices   map[string]*device
	agenda    agenda[*receipt]
	planned   int // milestones that are still to come
	firings   agenda[*firing]
	outboxes  map[string]*outbox
	unstarted []*outbox // those that Run has not started yet
	requests  requestLog
	lastID    int64
	loss      float64 // share of callback rows
}

// app is what the sandbox keeps for one app key.
type app struct {
	key, secret string
	quota       *rate.Limiter
	cids        map[string]int64 // to the message that was accepted with it
	cidOrder    []string         // oldest first
	tags        memberships
	aliases     memberships
	schedules   map[string]*schedule
	plans       map[string]*plan
	voices      map[string]voice // by language
}

// message is one accepted push, or one target of a batch.
type message struct {
	push
	id         int64
	app        *app
	acceptedAt time.Time
	withdrawn  bool
	receipts   []receipt // one for each device, never moved
	reached    [milestones]int
	outboxes   []*outbox
}

// device is a registration_id that was sent something.
type device struct {
	id string
	traits
	backAt   time.Time // online from here on; zero if it always was
	receipts []*receipt
}

// receipt is what becomes of one message on one device. Only the next milestone is on the agenda.
type receipt struct {
	message   *message
	device    *device
	at        [milestones]int64 // when each happens, in ns since the epoch; 0 if never
	number    uint32            // of the message on the device, from 1
	next      milestone         // those before it have happened
	cancelled bool
}

// New returns a Sandbox, or all that is wrong with its configuration.
func New(cfg Config) (*Sandbox, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Sandbox{
		cfg:        cfg,
		population: population(cfg.Seed, cfg.Devices),
		client:     newCallbackClient(),
		wake:       make(chan struct{}, 1),
		apps:       map[string]*app{},
		messages:   map[int64]*message{},
		devices:    map[string]*device{},
		outboxes:   map[string]*outbox{},
		loss:       cfg.CallbackLoss,
	}
	for key, secret := range cfg.Apps {
		quota := rate.NewLimiter(rate.Limit(cfg.RequestsPerSecond), cfg.RequestsPerSecond)
		s.apps[key] = &app{
			key: key, secret: secret, quota: quota, cids: map[string]int64{}, tags: memberships{}, aliases: memberships{},
			schedules: map[string]*schedule{}, plans: map[string]*plan{}, voices: map[string]voice{},
		}
	}
	return s, nil
}

// Run lets time pass: devices react, callbacks go out. It owns every goroutine of the Sandbox and returns nil when ctx
// ends; callbacks that are still waiting then are not delivered.
func (s *Sandbox) Run(ctx context.Context) error {
	if s.started.Swap(true) {
		return ErrRunning
	}
	defer s.client.CloseIdleConnections()
	var posts sync.WaitGroup
	defer posts.Wait()
	for ctx.Err() == nil {
		next, more := s.advance()
		for _, o := range s.takeUnstarted() {
			posts.Go(func() { o.run(ctx) })
		}
		waitUntil(ctx, s.cfg.Clock, next, more, s.wake)
	}
	return nil
}

// SetCallbackLoss changes what share of callback rows get lost from now on: with 1 none comes through, with 0 all do.
func (s *Sandbox) SetCallbackLoss(share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loss = share
}

func (s *Sandbox) takeUnstarted() []*outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.unstarted
	s.unstarted = nil
	return taken
}

// known returns the message that a cid was used for lately.
func (s *Sandbox) known(a *app, cid string) (id int64, known bool) {
	if cid == "" {
		return 0, false
	}
	id, known = a.cids[cid]
	return id, known && s.cfg.Clock.Since(s.messages[id].acceptedAt) < engagelab.CIDValidity
}

// remember keeps a cid, and forgets the oldest one if there are too many.
func (a *app) remember(cid string, id int64) {
	if cid == "" {
		return
	}
	a.cids[cid] = id
	a.cidOrder = append(a.cidOrder, cid)
	if len(a.cidOrder) > maxCIDs {
		delete(a.cids, a.cidOrder[0])
		a.cidOrder = a.cidOrder[1:]
	}
}

// accept takes a push on and returns its msg_id. A push whose cid was there before gets the same msg_id again, and
// nothing is sent.
func (s *Sandbox) accept(a *app, p push, recipients []string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acceptLocked(a, p, recipients)
}

func (s *Sandbox) acceptLocked(a *app, p push, recipients []string) (string, error) {
	recipients = slices.Clone(recipients)
	slices.Sort(recipients)
	recipients = slices.Compact(recipients)
	if id, known := s.known(a, p.cid); known {
		return strconv.FormatInt(id, 10), nil
	}
	outboxes, err := s.outboxesFor(a, p.callbackURLs)
	if err != nil {
		return "", err
	}
	now := s.cfg.Clock.Now()
	s.lastID = max(s.lastID+1, now.UnixNano())
	m := &message{push: p, id: s.lastID, app: a, acceptedAt: now, outboxes: outboxes}
	s.messages[m.id] = m
	a.remember(p.cid, m.id)
	a.use(p.planID, m.id, now)

	m.receipts = make([]receipt, len(recipients))
	for i, id := range recipients {
		m.receipts[i] = receipt{message: m, device: s.device(id, now)}
		s.schedule(&m.receipts[i], now)
	}
	poke(s.wake)
	return m.msgID(), nil
}

// device returns the device with the id. One that is offline by nature goes offline with its first message.
func (s *Sandbox) device(id string, now time.Time) *device {
	d := s.devices[id]
	if d == nil {
		d = &device{id: id, traits: s.cfg.Behaviour.traits(s.cfg.Seed, id)}
		if d.offline > 0 {
			d.backAt = now.Add(d.offline)
		}
		s.devices[id] = d
	}
	return d
}

// withdraw stops a message from reaching more devices. It reports why it cannot, if it cannot.
func (s *Sandbox) withdraw(a *app, id int64) (refusal string) {
	const withdrawable = 24 * time.Hour
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	switch {
	case m == nil || m.app != a:
		return "the message is not known"
	case m.withdrawn:
		return "the message was withdrawn before"
	case s.cfg.Clock.Since(m.acceptedAt) >= withdrawable:
		return "the message is older than 24 hours"
	}
	m.withdrawn = true
	for i := range m.receipts {
		s.cancel(&m.receipts[i])
	}
	return ""
}
