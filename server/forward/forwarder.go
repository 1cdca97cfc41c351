package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultHold      = 10 * time.Second
	defaultHeld      = 1024
	defaultHeldBytes = 128 << 20

	// A known leader that did not take a call is left alone for so long, at first and at most.
	offerPause    = 5 * time.Millisecond
	maxOfferPause = 160 * time.Millisecond

	// parting is what a former leader's calls get to bring in answers that are on their way. Those that it did not answer
	// before it resigned it never will.
	parting = time.Second
)

// Why a call was not answered.
var (
	// ErrNotTaken says that nobody works on the call, nor will.
	ErrNotTaken = errors.New("the call was not taken")
	// ErrBroken says that the leader may have worked on the call, and that its answer never came.
	ErrBroken = errors.New("the leader went away during the call")
	// ErrFull says that as many calls wait for a leader as may.
	ErrFull = errors.New("too many calls wait for a leader")
)

// Options are what a Forwarder needs. Zero bounds get their defaults.
type Options struct {
	// Self is the node itself, to which nothing is forwarded.
	Self   Peer
	Leader *Leader
	// TLS verifies the leader; nil for plain text.
	TLS *tls.Config
	// Hold is how long a call is offered, in real time. Default 10 s.
	Hold time.Duration
	// HeldCalls and HeldBytes are how many calls are held, and how many bytes of them. Defaults 1024 and 128 MiB.
	HeldCalls, HeldBytes int64
	Registerer           prometheus.Registerer
}

// Forwarder offers calls to the node that leads.
type Forwarder struct {
	self    Peer
	leader  *Leader
	tls     *tls.Config
	hold    time.Duration
	clock   clockwork.Clock // real time, as that of callers and networks
	metrics metrics

	mu       sync.Mutex
	held     int64
	bytes    int64
	maxHeld  int64
	maxBytes int64
	link     *Link          // to the leader that was called last
	parting  sync.WaitGroup // links to former leaders
	closed   chan struct{}
}

// New returns a forwarder. Close must be called.
func New(o Options) *Forwarder {
	f := &Forwarder{
		self: o.Self, leader: o.Leader, tls: o.TLS, hold: o.Hold, clock: clockwork.NewRealClock(), metrics: newMetrics(o.Registerer),
		maxHeld: o.HeldCalls, maxBytes: o.HeldBytes, closed: make(chan struct{}),
	}
	if f.hold <= 0 {
		f.hold = defaultHold
	}
	if f.maxHeld <= 0 {
		f.maxHeld = defaultHeld
	}
	if f.maxBytes <= 0 {
		f.maxBytes = defaultHeldBytes
	}
	return f
}

// Close ends the connections to leaders, and with them the calls that are under way. It is called when there are no callers.
func (f *Forwarder) Close() {
	f.mu.Lock()
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
	if f.link != nil {
		f.link.close()
		f.link = nil
	}
	f.mu.Unlock()
	f.parting.Wait()
}

// Call is one call that is to be answered.
type Call struct {
	Protocol string // for metrics: grpc or http
	Size     int    // bytes that it takes while it is held
	// Here answers the call if this node can; taken false says that it can't now.
	Here func() (taken bool, err error)
	// There answers the call by the leader. ErrNotTaken has it offered again.
	There func(ctx context.Context, to *Link) error
	// Repeatable calls are offered again also when they broke off.
	Repeatable bool
}

// Offer answers a call here or by the leader, and holds it while neither can be. It returns what Here or There did, ErrNotTaken
// when the time is up, or ErrFull.
func (f *Forwarder) Offer(ctx context.Context, c Call) error {
	var timeUp <-chan time.Time
	for pause := offerPause; ; pause = min(2*pause, maxOfferPause) {
		leader, known, changed := f.leader.Get()
		if taken, err := c.Here(); taken {
			return err
		}
		if known = known && leader.Token != f.self.Token; known {
			err := f.offerThere(ctx, c, leader)
			if !errors.Is(err, ErrNotTaken) {
				return err
			}
		}
		if timeUp == nil { // it has to wait
			if err := f.take(c); err != nil {
				return err
			}
			defer f.giveBack(c)
			timer := f.clock.NewTimer(f.hold)
			defer timer.Stop()
			timeUp = timer.Chan()
		}
		var again <-chan time.Time
		if known {
			again = f.clock.After(pause)
		}
		select {
		case <-changed:
			pause = offerPause
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		case <-timeUp:
			f.metrics.count(c.Protocol, outcomeNotTaken)
			return ErrNotTaken
		}
	}
}

func (f *Forwarder) offerThere(ctx context.Context, c Call, leader Peer) error {
	link, err := f.linkTo(leader)
	if err != nil {
		return err
	}
	err = c.There(ctx, link)
	switch {
	case err == nil || errors.As(err, new(*Answer)):
		f.metrics.count(c.Protocol, outcomeAnswered)
	case ctx.Err() != nil:
		f.metrics.count(c.Protocol, outcomeEnded)
	case errors.Is(err, ErrBroken):
		f.metrics.count(c.Protocol, outcomeBroken)
		if c.Repeatable {
			return fmt.Errorf("%w: %w", ErrNotTaken, err)
		}
	}
	return err
}

// take makes room for a call that has to wait.
func (f *Forwarder) take(c Call) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held >= f.maxHeld || f.bytes+int64(c.Size) > f.maxBytes {
		f.metrics.count(c.Protocol, outcomeFull)
		return ErrFull
	}
	f.held++
	f.bytes += int64(c.Size)
	f.metrics.held.Set(float64(f.held))
	return nil
}

func (f *Forwarder) giveBack(c Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held--
	f.bytes -= int64(c.Size)
	f.metrics.held.Set(float64(f.held))
}

// linkTo returns the link to a leader. That to a former one ends soon.
func (f *Forwarder) linkTo(leader Peer) (*Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closed:
		return nil, ErrNotTaken
	default:
	}
	if f.link != nil && f.link.to == leader {
		return f.link, nil
	}
	link, err := newLink(leader, f.tls)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTaken, err)
	}
	if former := f.link; former != nil {
		f.part(former)
	}
	f.link = link
	return link, nil
}

// LeaderChanged ends what waits for a former leader's answers soon.
func (f *Forwarder) LeaderChanged() {
	leader, _, _ := f.leader.Get()
	f.mu.Lock()
	defer f.mu.Unlock()
	if former := f.link; former != nil && former.to != leader {
		f.link = nil
		f.part(former)
	}
}

// part gives a link its last moments. The caller holds the mutex.
func (f *Forwarder) part(former *Link) {
	f.parting.Go(func() {
		select {
		case <-f.clock.After(parting):
		case <-f.closed:
		}
		former.close()
	})
}

// Ping asks the leader whether it leads.
func (f *Forwarder) Ping(ctx context.Context) error {
	leader, known, _ := f.leader.Get()
	if !known || leader.Token == f.self.Token {
		return ErrNotTaken
	}
	link, err := f.linkTo(leader)
	if err != nil {
		return err
	}
	return link.ping(ctx)
}
