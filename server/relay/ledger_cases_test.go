package relay

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// bookkeeper drives a ledger whose log has whatever is asked of it.
type bookkeeper struct {
	*ledger
	*require.Assertions
	now  time.Time
	head int64
}

func newBookkeeper(t *testing.T, tm terms) *bookkeeper {
	t.Helper()
	b := &bookkeeper{Assertions: require.New(t), now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	tm.maxAge = DefaultMaxAge
	row := storage.RelayEndpoint{RelayEndpointKey: storage.RelayEndpointKey{App: "a", ID: "sub-s"}, State: storage.RelayActive}
	b.ledger = newLedger(row, nil, tm, b.now, func() float64 { return 0 })
	return b
}

// events has events of pushes arrive, and admitted.
func (b *bookkeeper) events(pushes ...int64) {
	var items []item
	for _, push := range pushes {
		b.head++
		items = append(items, item{sequence: b.head, push: push, size: 500})
	}
	b.announce(b.head-int64(len(pushes))+1, b.head)
	b.admit(items, b.head, b.now)
}

// sent is the request that is to be made now.
func (b *bookkeeper) sent() *request {
	for {
		s := b.next(b.now)
		switch {
		case s.load != nil: // its push has one event at each sequence
			var items []item
			for seq := s.load.Next; seq <= s.load.end; seq++ {
				items = append(items, item{sequence: seq, push: s.load.PushID, size: 500})
			}
			b.loaded(s.load, items, nil, s.load.end)
		case s.send != nil:
			return s.send
		default:
			b.FailNow("nothing is sent", "%+v", s)
		}
	}
}

// idle requires that nothing is to be done for a time.
func (b *bookkeeper) idle(wait time.Duration) {
	s := b.next(b.now)
	b.Equal(step{wait: s.wait}, s)
	if wait == 0 {
		b.Zero(s.wait)
	} else {
		b.Equal(wait, s.wait.Sub(b.now))
	}
}

func (b *bookkeeper) answer(q *request, status int) {
	b.done(q, outcome{delivered: status == 200, status: status, text: http.StatusText(status)}, b.now)
}

func (b *bookkeeper) wait(d time.Duration) { b.now = b.now.Add(d) }

func pushesOf(q *request) (pushes []int64) {
	for _, it := range q.items {
		pushes = append(pushes, it.push)
	}
	return pushes
}

func TestEventsWaitForOthersToGoWith(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 2})
	b.events(1)
	b.idle(linger)
	b.wait(40 * time.Millisecond)
	b.events(2)
	b.idle(60 * time.Millisecond)
	b.wait(60 * time.Millisecond)
	b.Equal([]int64{1, 2}, pushesOf(b.sent()))

	many := make([]int64, maxBatch+1)
	for i := range many {
		many[i] = int64(10 + i%7)
	}
	b.events(many...)
	full := b.sent()
	b.Len(full.items, maxBatch)
	b.idle(0) // both requests are under way
	b.answer(full, 200)
	b.idle(linger) // for the last event
}

// What of the log is for others is not read, though the endpoint is behind.
func TestGapsAreJumped(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.announce(101, 110)
	b.EqualValues(100, b.position)
	b.announce(111, 120)
	b.announce(901, 910)
	b.announce(5001, 5010)
	b.True(b.next(b.now).read)
	b.admit(nil, 115, b.now)
	b.EqualValues(115, b.position)
	b.admit(nil, 120, b.now)
	b.EqualValues(900, b.position)
	b.admit(nil, 2000, b.now) // a page that ends behind its events
	b.EqualValues(5000, b.position)
	b.admit(nil, 5010, b.now)
	b.True(b.caughtUp())
	for i := range int64(3 * maxGaps) {
		b.announce(6001+10*i, 6001+10*i)
	}
	b.LessOrEqual(len(b.gaps), maxGaps)
	b.EqualValues(6000, b.position)
}

// A push is in one request at a time, and what is large goes alone.
func TestRequestsOfAPushFollowEachOther(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 4})
	b.events(1, 2)
	b.wait(linger)
	first := b.sent()
	b.events(1, 1, 3)
	b.wait(linger)
	b.Equal([]int64{3}, pushesOf(b.sent()))
	b.idle(0)
	b.answer(first, 200)
	b.Equal([]int64{1, 1}, pushesOf(b.sent()))

	b.head++
	b.announce(b.head, b.head+2)
	b.admit([]item{
		{sequence: b.head, push: 7, size: maxBatchBytes + 1}, {sequence: b.head + 1, push: 8, size: maxBatchBytes / 2},
		{sequence: b.head + 2, push: 9, size: maxBatchBytes / 2},
	}, b.head+2, b.now)
	b.wait(linger)
	b.Equal([]int64{7}, pushesOf(b.sent()))
	b.Equal([]int64{8, 9}, pushesOf(b.sent()))
}

// A push whose events the endpoint can't take does not keep others from theirs.
func TestAFailingPushIsAloneInIt(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1, 2)
	b.wait(linger)
	b.answer(b.sent(), 500)
	b.Len(b.parked, 2)
	b.idle(10 * time.Second)
	b.events(3)
	b.wait(linger)
	b.answer(b.sent(), 200)

	// Push 1 fails for two days. Whatever comes meanwhile comes through, after a moment at most.
	b.wait(10 * time.Second)
	for range 60 {
		for len(b.parked) > 0 && due(b.retries[0].NextAttempt, b.now) {
			q := b.sent()
			if q.spans[0].PushID == 1 {
				b.Equal([]int64{1}, pushesOf(q)[:1])
				b.answer(q, 500)
			} else {
				b.answer(q, 200)
			}
		}
		b.False(b.open(), "a retry is no reason to open the circuit")
		b.events(4)
		b.wait(linger)
		q := b.sent()
		b.Equal([]int64{4}, pushesOf(q))
		b.answer(q, 200)
		b.wait(time.Hour + 7*time.Minute)
	}
	b.Len(b.parked, 1)
	b.Greater(b.parked[1].Failures, 40)
}

// Five failures in a row open the circuit; then one request goes out at a time, of a push that did not fail yet.
func TestCircuit(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 8})
	var flying []*request
	for push := range int64(7) {
		b.events(push + 1)
		b.wait(linger)
		flying = append(flying, b.sent())
	}
	for i, q := range flying {
		b.answer(q, 500)
		b.Equal(i >= 4, b.open())
	}
	b.Equal(7, b.row.Failures)
	b.events(20, 21)
	for i, wait := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, time.Hour} {
		b.idle(wait)
		b.wait(wait)
		probe := b.sent()
		b.True(probe.probe)
		b.Len(probe.items, 1)
		if i < 2 {
			b.Equal([]int64{int64(20 + i)}, pushesOf(probe))
		} else {
			b.Equal(retry, probe.kind)
		}
		b.idle(0)
		b.answer(probe, 500)
	}
	b.wait(time.Hour)
	b.answer(b.sent(), 200)
	b.False(b.open())
	b.Zero(b.row.Failures)
	for range 4 { // half of the requests may be retries
		b.Equal(retry, b.sent().kind)
	}
	b.events(30)
	b.wait(linger)
	b.Equal(fresh, b.sent().kind)
}

// A success of what was under way closes the circuit, unless the endpoint asked to be left alone.
func TestStragglers(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 8})
	var flying []*request
	for push := range int64(8) {
		b.events(push + 1)
		b.wait(linger)
		flying = append(flying, b.sent())
	}
	for _, q := range flying[:5] {
		b.answer(q, 500)
	}
	b.True(b.open())
	b.answer(flying[5], 200)
	b.False(b.open())
	b.done(flying[6], outcome{status: 429, retryAfter: 90 * time.Second}, b.now)
	b.True(b.open(), "it is left alone at once")
	b.Nil(b.parked[7], "and nothing is wrong with the push")
	b.answer(flying[7], 200)
	b.idle(90 * time.Second)
	b.wait(90 * time.Second)
	b.Equal([]int64{7}, pushesOf(b.sent()))
}

func TestRetryAfterIsBounded(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1)
	b.wait(linger)
	b.done(b.sent(), outcome{status: 503, retryAfter: 1000 * time.Hour}, b.now)
	b.idle(maxRetryAfter)
	b.wait(maxRetryAfter)
	b.done(b.sent(), outcome{status: 503, retryAfter: time.Second}, b.now)
	b.idle(time.Minute) // the schedule's is later
}

func TestGone(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1, 2)
	b.wait(linger)
	b.answer(b.sent(), 410)
	b.Equal(storage.RelayGone, b.row.State)
	b.events(1)
	b.wait(time.Hour)
	b.idle(0)
	b.Zero(b.cursor())
	b.setState(storage.RelayActive)
	q := b.sent()
	b.Equal([]int64{1, 2, 1}, pushesOf(q))
	b.answer(q, 200)
	b.EqualValues(3, b.cursor())
}

func TestRate(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 4, perSecond: 2})
	b.events(1)
	b.wait(linger)
	b.sent()
	b.events(2)
	b.wait(linger)
	b.idle(400 * time.Millisecond)
	b.wait(400 * time.Millisecond)
	b.sent()
	b.setTerms(terms{concurrency: 4, perSecond: 10, maxAge: DefaultMaxAge}, b.now)
	b.events(3)
	b.wait(linger)
	b.sent()
	b.setTerms(terms{concurrency: 4, maxAge: DefaultMaxAge}, b.now)
	b.events(4)
	b.wait(linger)
	b.sent()
}

// No more pushes are apart than may be: then the endpoint waits for them.
func TestParkedPushesAreBounded(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.limits.parked = 3
	b.events(1, 2, 3, 4, 5)
	b.wait(linger)
	q := b.sent()
	b.Equal([]int64{1, 2, 3}, pushesOf(q))
	b.answer(q, 500)
	b.idle(10 * time.Second)
	b.EqualValues(3, b.cursor())
	b.wait(10 * time.Second)
	q = b.sent()
	b.Equal(retry, q.kind)
	b.Equal([]int64{1, 2, 3}, pushesOf(q))
	b.answer(q, 200)
	b.Equal([]int64{4, 5}, pushesOf(b.sent()))
}

// What failed once is tried again together, for the endpoint may have been down; what fails again is alone with it.
func TestRetriesGoTogether(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	var pushes []int64
	for push := range int64(maxTogether + 3) {
		pushes = append(pushes, push+1)
	}
	b.events(pushes...)
	b.wait(linger)
	b.answer(b.sent(), 500)
	b.wait(10 * time.Second)
	first := b.sent()
	b.Len(first.items, maxTogether)
	b.answer(first, 500)
	rest := b.sent()
	b.Equal([]int64{17, 18, 19}, pushesOf(rest))
	b.answer(rest, 200)
	b.idle(time.Minute)
	b.wait(time.Minute)
	for push := range int64(maxTogether) {
		alone := b.sent()
		b.Equal([]int64{push + 1}, pushesOf(alone))
		b.Equal(3, alone.attempt)
		status := 200
		if push == 4 {
			status = 500
		}
		b.answer(alone, status)
	}
	b.Len(b.parked, 1)
	b.idle(5 * time.Minute)
}

// A single push that is refused with 429 is not in the way of others for ever.
func TestRefusedPushIsNotInTheWay(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1, 2)
	b.wait(linger)
	b.answer(b.sent(), 429)
	b.Empty(b.parked)
	b.wait(10 * time.Second)
	probe := b.sent()
	b.Equal([]int64{1}, pushesOf(probe))
	b.answer(probe, 429)
	b.wait(time.Minute)
	probe = b.sent()
	b.Equal([]int64{2}, pushesOf(probe))
	b.answer(probe, 200)
	b.Len(b.parked, 1)
}

// A clock that is set back does not keep anything waiting.
func TestClockIsSetBack(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1)
	b.wait(linger)
	b.answer(b.sent(), 500)
	b.events(2)
	b.wait(-48 * time.Hour)
	q := b.sent()
	b.Equal(retry, q.kind)
	b.answer(q, 200)
	b.Equal([]int64{2}, pushesOf(b.sent()))
}

// Dead letters that follow each other are one; what was delivered between parts them.
func TestDeadLettersAreMerged(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	at := func(first, last, through int64) (g grave) {
		for seq := first; seq <= last; seq++ {
			g.items = append(g.items, item{sequence: seq, push: 1}, item{sequence: seq, push: 1, to: &target{url: "?other"}})
		}
		g.through = through
		return g
	}
	bury := func(g grave) {
		b.buryLog = b.now
		b.Equal(int64(len(g.items)/2), b.buried(&burial{after: b.position, before: b.now}, g, b.now))
	}
	b.announce(1, 100)
	bury(at(1, 5, 8))
	bury(at(0, -1, 9))
	b.wait(time.Hour)
	bury(at(10, 12, 20))
	b.Equal(1, b.letters)
	b.Equal([]int64{1, 12, 8}, []int64{b.dead.Next, b.dead.Last, b.dead.Events})
	b.admit(nil, 30, b.now)
	bury(at(0, -1, 31))
	bury(at(32, 32, 32))
	b.Equal(2, b.letters)
	b.wait(2 * maxMerged)
	bury(at(33, 33, 33))
	b.Equal(3, b.letters, "and one does not grow for ever")
	b.forget(b.dead.ID)
	bury(at(34, 34, 34))
	b.Equal([]int64{34, 34, 1}, []int64{b.dead.Next, b.dead.Last, b.dead.Events})
	b.Equal(3, b.letters)

	called := b.dead
	b.buryLog = b.now
	b.forgive()
	b.Zero(b.buried(&burial{after: b.position, before: b.now}, at(35, 36, 36), b.now), "it was called off")
	b.Same(called, b.dead)
	b.EqualValues(34, b.position)
}

// An event is given up after a failed attempt only, though the clock leaps, and what came later is not.
func TestGivenUp(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1)
	b.wait(linger)
	b.answer(b.sent(), 500)
	b.wait(10 * DefaultMaxAge)
	b.events(1)
	q := b.sent()
	b.Nil(b.dead)
	b.answer(q, 500)
	s := b.next(b.now)
	b.NotNil(s.bury)
	b.Equal(b.now.Add(-DefaultMaxAge), s.bury.before)
	b.Zero(s.bury.after)
	b.EqualValues(1, b.buried(s.bury, grave{items: []item{{sequence: 1, push: 1}}, through: 1}, b.now))
	b.Equal(1, b.letters)
	b.EqualValues(2, b.parked[1].Next)
	b.idle(time.Minute)
	saved := b.records[b.parked[1].dead.ID]
	b.Equal(storage.SpanDead, saved.Kind)
	b.Equal([]int64{1, 1, 1, 1}, []int64{saved.PushID, saved.Next, saved.Last, saved.Events})
	b.Equal(2, saved.Failures)
}

func TestReplaysTakeTurns(t *testing.T) {
	b := newBookkeeper(t, terms{concurrency: 1})
	b.events(1, 2, 3)
	b.wait(linger)
	b.answer(b.sent(), 200)
	none := time.Time{}
	b.addReplay(1, 1, 1, none, none, b.now)
	second := b.addReplay(2, 2, 2, none, none, b.now)
	b.addReplay(3, 9, 8, none, none, b.now) // of nothing
	b.events(4)
	b.wait(linger)
	q := b.sent()
	b.Equal(replay, q.kind)
	b.answer(q, 500)
	b.Equal([]int64{4}, pushesOf(b.sent()), "a replay is beside what is new")
	b.flying[fresh] = 0
	q = b.sent()
	b.Same(second, q.spans[0])
	b.finish(second) // somebody stops it
	b.answer(q, 200)
	b.Equal(1, b.replays)
	b.idle(10 * time.Second)
}
