package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"susul.dev/susul/bench/rig"
)

// Plan is what a load process is to do. It reads it from its standard input.
type Plan struct {
	Addresses []string `json:"addresses"` // connections are spread over them

	// Chunks are what callbacks are told of.
	Chunks   []rig.Chunk `json:"chunks"`
	Active   int         `json:"active"` // chunks at a time
	From     int         `json:"from"`   // the first row that was not sent yet
	MinBatch int         `json:"min_batch"`
	MaxBatch int         `json:"max_batch"`

	// Devices, if it is not 0, is how many each push goes to that is sent instead of callbacks. A push counts as a row, which is a batch
	// of its own. The numbers of the devices and Name, which makes request ids unlike those of other plans, begin the pushes.
	Devices     int    `json:"devices"`
	FirstDevice uint64 `json:"first_device"`
	Name        string `json:"name"`

	Connections int           `json:"connections"`
	WarmUp      time.Duration `json:"warm_up"`
	Measure     time.Duration `json:"measure"`
	// Rate is how many rows a second are offered, come what may; 0: a connection sends when it has its answer.
	Rate float64 `json:"rate"`
}

// Outcome is what a load process writes last to its standard output. Figures are of the measured time alone, whereas
// every row before Next was acknowledged in the end, some after it.
type Outcome struct {
	Rows      int         `json:"rows"` // acknowledged
	Requests  int         `json:"requests"`
	Offered   int         `json:"offered"` // rows, refused ones included
	Accepted  rig.Latency `json:"accepted"`
	Refused   rig.Latency `json:"refused"`
	Unhinted  int         `json:"unhinted"` // refusals without Retry-After
	Failures  int         `json:"failures"` // connections that broke, at any time
	Failure   string      `json:"failure"`  // the first
	Next      int         `json:"next"`
	Exhausted bool        `json:"exhausted"` // rows ran out before the time did
	CPU       float64     `json:"cpu"`       // seconds that the load process itself took
}

// mark is a line that a load process writes when the measured time begins and when it ends.
type mark struct {
	Mark    string   `json:"mark"`
	Outcome *Outcome `json:"outcome,omitempty"`
}

const (
	markBegin = "begin"
	markEnd   = "end"
	markDone  = "done"
)

const (
	// repeatAfter is when EngageLab first repeats what it could not deliver.
	repeatAfter = 10 * time.Second

	// maxFailures is how many broken connections end a load.
	maxFailures = 1000
)

// generator is a load under way.
type generator struct {
	Plan
	feed         *feed // nil if pushes are sent
	rows         int
	begin, until time.Time // of the measured time
	next         atomic.Int64
	turns        atomic.Int64 // requests begun, when a rate is given
	failures     atomic.Int64

	mu      sync.Mutex
	refused []batch // oldest first
	failure error   // the first
}

// batch is some consecutive rows.
type batch struct {
	from, n int
	when    time.Time // when it was refused
}

// Generate does what the plan on in says, and tells on out.
func Generate(ctx context.Context, in io.Reader, out io.Writer) error {
	g := &generator{}
	if err := json.NewDecoder(in).Decode(&g.Plan); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if g.rows = math.MaxInt; g.Devices == 0 {
		g.feed = newFeed(g.Chunks, g.Active)
		g.rows = g.feed.rows
	}
	g.next.Store(int64(g.From))
	g.begin = time.Now().Add(g.WarmUp)
	g.until = g.begin.Add(g.Measure)
	tell := json.NewEncoder(out)
	marks := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { marks <- g.mark(ctx, tell) }()

	senders := make([]*sender, g.Connections)
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range senders {
		senders[i] = &sender{generator: g, conn: conn{address: g.Addresses[i%len(g.Addresses)]}, random: rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))}
		group.Go(func() error { return senders[i].run(groupCtx) })
	}
	err := group.Wait()
	if time.Now().After(g.until) && err == nil {
		err = <-marks
	} else {
		cancel()
		err = errors.Join(err, ignoreCancel(<-marks))
	}
	if err != nil {
		return err
	}
	result := g.collect(senders)
	return tell.Encode(mark{Mark: markDone, Outcome: &result})
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// mark tells when the measured time begins and ends.
func (g *generator) mark(ctx context.Context, tell *json.Encoder) error {
	for _, m := range []struct {
		name string
		at   time.Time
	}{{markBegin, g.begin}, {markEnd, g.until}} {
		if err := rig.Rest(ctx, time.Until(m.at)); err != nil {
			return err
		}
		if err := tell.Encode(mark{Mark: m.name}); err != nil {
			return err
		}
	}
	return nil
}

// take returns the batch to send next: what was refused long enough ago, or new rows.
func (g *generator) take(size int) (b batch, ok bool) {
	if g.Rate > 0 {
		if b, ok := g.takeRefused(time.Now().Add(-repeatAfter)); ok {
			return b, true
		}
	}
	from := int(g.next.Add(int64(size))) - size
	if n := min(size, g.rows-from); n > 0 {
		return batch{from: from, n: n}, true
	}
	return g.takeRefused(time.Now())
}

func (g *generator) takeRefused(before time.Time) (b batch, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.refused) == 0 || g.refused[0].when.After(before) {
		return batch{}, false
	}
	b, g.refused = g.refused[0], g.refused[1:]
	return b, true
}

func (g *generator) giveBack(b batch) {
	b.when = time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = append(g.refused, b)
}

func (g *generator) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		g.failure = err
	}
	if g.failures.Add(1) > maxFailures {
		return fmt.Errorf("too many failures, first: %w", g.failure)
	}
	return nil
}

// collect sums up.
func (g *generator) collect(senders []*sender) Outcome {
	o := Outcome{Next: min(int(g.next.Load()), g.rows), Failures: int(g.failures.Load())}
	o.Exhausted = int(g.next.Load()) > g.rows
	if g.failure != nil {
		o.Failure = g.failure.Error()
	}
	var accepted, refused []time.Duration
	for _, s := range senders {
		s.conn.close()
		o.Rows += s.rows
		o.Offered += s.offered
		o.Unhinted += s.unhinted
		accepted = append(accepted, s.accepted...)
		refused = append(refused, s.refusals...)
	}
	o.Requests = len(accepted)
	o.Accepted, o.Refused = rig.LatencyOf(accepted), rig.LatencyOf(refused)
	o.CPU = rig.OwnCPU().Seconds()
	return o
}

// sender is one connection's loop.
type sender struct {
	*generator
	conn     conn
	random   *rand.Rand
	buf      []byte
	rows     int
	offered  int
	unhinted int
	accepted []time.Duration
	refusals []time.Duration
}

// run sends until the time is over, and then what is still refused.
func (s *sender) run(ctx context.Context) error {
	for time.Now().Before(s.until) && ctx.Err() == nil {
		if err := s.awaitTurn(ctx); err != nil {
			return err
		}
		b, ok := s.take(s.MinBatch + s.random.IntN(s.MaxBatch-s.MinBatch+1))
		if !ok {
			break
		}
		if err := s.deliver(ctx, b); err != nil {
			return err
		}
	}
	for {
		b, ok := s.takeRefused(time.Now())
		if !ok {
			return ctx.Err()
		}
		if err := s.deliver(ctx, b); err != nil {
			return err
		}
	}
}

// awaitTurn waits until the rate allows for one more request; one that is late goes at once.
func (s *sender) awaitTurn(ctx context.Context) error {
	if s.Rate == 0 {
		return nil
	}
	pause := time.Duration(float64(s.MinBatch+s.MaxBatch) / 2 / s.Rate * float64(time.Second))
	turn := s.begin.Add(-s.WarmUp).Add(time.Duration(s.turns.Add(1)) * pause)
	return rig.Rest(ctx, time.Until(turn))
}

// deliver sends a batch until it is acknowledged, or, while a rate is to be kept, leaves a refused one for later.
func (s *sender) deliver(ctx context.Context, b batch) error {
	for ctx.Err() == nil {
		began := time.Now()
		got, err := s.conn.exchange(ctx, s.request(b, began))
		now := time.Now()
		measured := began.After(s.begin) && now.Before(s.until)
		if measured {
			s.offered += b.n
		}
		switch {
		case err != nil:
			if err := s.fail(err); err != nil {
				return err
			}
		case got.status == http.StatusOK:
			if measured {
				s.rows += b.n
				s.accepted = append(s.accepted, now.Sub(began))
			}
			return nil
		case got.status == http.StatusServiceUnavailable:
			if measured {
				s.refusals = append(s.refusals, now.Sub(began))
			}
			if got.retryAfter == 0 {
				s.unhinted++
			}
			if s.Rate > 0 && now.Before(s.until) {
				s.giveBack(b)
				return nil
			}
			if err := rig.Rest(ctx, max(got.retryAfter, 100*time.Millisecond)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the server answers %d", got.status)
		}
	}
	return ctx.Err()
}
