package postgres

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// channel is what news is sent on.
	channel = "susul"

	// notifyEvery is how long news is collected at least, once some was sent.
	notifyEvery = 5 * time.Millisecond

	// answersTogether is how many answers one message has room for: it may have 8,000 bytes.
	answersTogether = 150

	// quietFor is how long the listener waits for news before it makes sure of its connection; answersWithin bounds what that, and
	// whatever else is asked here, may take.
	quietFor      = 10 * time.Second
	answersWithin = 5 * time.Second
	lastWords     = time.Second // likewise, as a process stops

	// firstPause and longestPause bound the pause before something is tried again.
	firstPause   = 50 * time.Millisecond
	longestPause = 3 * time.Second
)

// message is news on its way to other processes.
type message struct {
	From    int64      `json:"f"`
	Events  bool       `json:"e,omitempty"`
	Work    bool       `json:"w,omitempty"`
	Answers [][2]int64 `json:"a,omitempty"` // home and push
}

func startSignals(d *database) *signals {
	ctx, cancel := context.WithCancel(context.Background())
	s := &signals{db: d, origin: rand.Int64(), logger: d.options.Logger, subs: map[*subscriber]struct{}{}, wake: make(chan struct{}, 1),
		listening: make(chan struct{})}
	var running sync.WaitGroup
	s.stop = func() {
		cancel()
		running.Wait()
	}
	for _, run := range []func(context.Context){s.send, s.listen, s.look} {
		running.Go(func() { run(ctx) })
	}
	return s
}

// begin waits until news of other processes is heard, within bounds: what is missed until then is found, but late.
func (s *signals) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	select {
	case <-s.listening:
	case <-ctx.Done():
	}
}

// send sends what is unsent to other processes, until the context ends; then what is left, if that is possible at once.
func (s *signals) send(ctx context.Context) {
	pause := firstPause
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		rest := notifyEvery
		if err := s.sendOnce(ctx); err != nil {
			s.logger.WarnContext(ctx, "others were not told of news", "error", err)
			poke(s.wake)
			rest, pause = pause, longer(pause)
		} else {
			pause = firstPause
		}
		sleep(ctx, rest)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	_ = s.sendOnce(ctx) // others find most of it by themselves
}

// sendOnce sends one message. If that fails, what is in it stays unsent.
func (s *signals) sendOnce(ctx context.Context) error {
	s.mu.Lock()
	n := s.unsent
	some := min(len(n.answers), answersTogether)
	s.unsent = news{answers: n.answers[some:]}
	s.mu.Unlock()
	n.answers = n.answers[:some:some]
	if !n.events && !n.work && some == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	err := s.notify(ctx, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		n.merge(s.unsent)
		s.unsent = n
	} else if len(s.unsent.answers) > 0 {
		poke(s.wake)
	}
	return err
}

// notify sends a message. It need not wait for the disk: after a crash there is nobody to get it.
func (s *signals) notify(ctx context.Context, n news) error {
	m := message{From: s.origin, Events: n.events, Work: n.work}
	for _, a := range n.answers {
		m.Answers = append(m.Answers, [2]int64{a.home, a.push})
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.db.pool.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, channel, string(payload))
	return err
}

// listen brings the news of other processes, on a connection of its own, until the context ends.
func (s *signals) listen(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := s.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestPause {
			pause = firstPause
		}
		s.logger.WarnContext(ctx, "news of other nodes is late, for a connection broke", "error", err, "pause", pause)
		sleep(ctx, pause)
		pause = longer(pause)
	}
}

// listenOnce listens until the connection breaks.
func (s *signals) listenOnce(ctx context.Context) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersWithin)
		defer cancel()
		_ = conn.Close(ctx) // there is nothing left to lose
	}()
	s.spread(news{events: true, work: true}) // whatever there was while nobody listened
	s.begun.Do(func() { close(s.listening) })
	for ctx.Err() == nil {
		if err := s.take(ctx, conn); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *signals) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.db.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		_ = conn.Close(ctx) // the first error tells
		return nil, err
	}
	return conn, nil
}

// take takes one message. Without any for a while, it makes sure that the connection still stands.
func (s *signals) take(ctx context.Context, conn *pgx.Conn) error {
	quiet, cancel := context.WithTimeout(ctx, quietFor)
	defer cancel()
	n, err := conn.WaitForNotification(quiet)
	switch {
	case err == nil:
		s.heard(ctx, n)
		return nil
	case pgconn.Timeout(err) && ctx.Err() == nil && !conn.IsClosed():
		ctx, cancel := context.WithTimeout(ctx, answersWithin)
		defer cancel()
		return conn.Ping(ctx)
	default:
		return err
	}
}

// heard spreads a message of another process.
func (s *signals) heard(ctx context.Context, n *pgconn.Notification) {
	var m message
	if err := json.Unmarshal([]byte(n.Payload), &m); err != nil {
		s.logger.WarnContext(ctx, "somebody else uses the channel "+channel, "error", err)
		m = message{Events: true, Work: true}
	}
	if m.From == s.origin {
		return
	}
	told := news{events: m.Events, work: m.Work}
	for _, a := range m.Answers {
		told.answers = append(told.answers, answer{home: a[0], push: a[1]})
	}
	s.spread(told)
}

// look finds what it was not told, until the context ends.
func (s *signals) look(ctx context.Context) {
	seen := int64(-1)
	for n := 1; sleep(ctx, s.db.options.lookEvery); n++ {
		events, work := s.waited()
		if events {
			end, err := s.logEnd(ctx)
			if err == nil && end != seen {
				seen = end
				s.spread(news{events: true})
			}
		}
		if work && n%2 == 0 {
			s.spread(news{work: true})
		}
	}
}

func (s *signals) logEnd(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	return first(ctx, s.db.pool, value[int64], `SELECT sequence FROM log_head`)
}

// longer returns the pause after a pause.
func longer(pause time.Duration) time.Duration { return min(2*pause, longestPause) }

// sleep waits about as long as a pause, and reports whether the context did not end meanwhile.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause - rand.N(pause/4+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
