package relay

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"susul.dev/susul/server/subscription"
	"susul.dev/susul/storage"
)

// memoryLog is a Store that has a log and pushes, and nothing else.
type memoryLog struct {
	Store
	mu       sync.Mutex
	events   []storage.Event
	sequence int64
	byApp    map[string][]int64 // the sequences of an app, those that were forgotten included
	urls     map[int64][]string // callback URLs by push
	fail     int                // how many calls fail next
	signal   chan struct{}
	lookUps  map[int64]int // of pushes
	lists    int           // calls of ListEvents
}

func newMemoryLog() *memoryLog {
	return &memoryLog{byApp: map[string][]int64{}, urls: map[int64][]string{}, signal: make(chan struct{}, 1), lookUps: map[int64]int{}}
}

// commit stores events, the first of them after a gap of unused sequences.
func (l *memoryLog) commit(app string, push int64, gap int64, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sequence += gap
	for range n {
		l.sequence++
		l.byApp[app] = append(l.byApp[app], l.sequence)
		l.events = append(l.events, storage.Event{
			Sequence: l.sequence, App: app, PushID: push, ReceiveTime: time.Unix(l.sequence, 0),
			Callback: storage.Callback{RegistrationID: strconv.FormatInt(l.sequence, 10), Status: "delivered"},
		})
	}
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

// forget drops the events through a sequence.
func (l *memoryLog) forget(through int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = slices.DeleteFunc(l.events, func(e storage.Event) bool { return e.Sequence <= through })
}

func (l *memoryLog) failing() error {
	if l.fail > 0 {
		l.fail--
		return fmt.Errorf("%w: as told", storage.ErrUnavailable)
	}
	return nil
}

func (l *memoryLog) ListEvents(ctx context.Context, q storage.EventQuery) ([]storage.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists++
	if err := l.failing(); err != nil {
		return nil, err
	}
	var found []storage.Event
	from, _ := slices.BinarySearchFunc(l.events, q.After+1, func(e storage.Event, s int64) int { return int(e.Sequence - s) })
	for _, e := range l.events[from:] {
		switch {
		case q.Through != 0 && e.Sequence > q.Through || len(found) == cmp.Or(q.Limit, storage.MaxPage):
			return found, nil
		case q.App != "" && e.App != q.App || q.PushID != 0 && e.PushID != q.PushID:
		default:
			found = append(found, e)
		}
	}
	return found, ctx.Err()
}

func (l *memoryLog) ListEventRuns(_ context.Context, after int64, limit int) ([]storage.EventRun, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.failing(); err != nil {
		return nil, err
	}
	var runs []storage.EventRun
	from, _ := slices.BinarySearchFunc(l.events, after+1, func(e storage.Event, s int64) int { return int(e.Sequence - s) })
	for _, e := range l.events[from:] {
		if n := len(runs); n > 0 && runs[n-1].App == e.App && runs[n-1].PushID == e.PushID && e.Sequence%100 != 0 {
			runs[n-1].Last = e.Sequence
			continue
		}
		if len(runs) == limit {
			break
		}
		runs = append(runs, storage.EventRun{First: e.Sequence, Last: e.Sequence, App: e.App, PushID: e.PushID,
			CallbackURLs: len(l.urls[e.PushID]) > 0})
	}
	return runs, nil
}

func (l *memoryLog) PushOf(_ context.Context, id int64) (storage.Push, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookUps[id]++
	if err := l.failing(); err != nil {
		return storage.Push{}, err
	}
	urls, ok := l.urls[id]
	if !ok {
		return storage.Push{}, storage.ErrNotFound
	}
	return storage.Push{ID: id, App: "app", Document: []byte(`{}`), CallbackURLs: urls}, nil
}

func (l *memoryLog) SubscribeEvents() (<-chan struct{}, func()) { return l.signal, func() {} }

// of returns the events of an app in a stretch of the log.
func (l *memoryLog) of(app string, after, through int64) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.byApp[app]
	first, _ := slices.BinarySearch(list, after+1)
	end, _ := slices.BinarySearch(list, max(after, through)+1)
	return list[first:end]
}

func testRow(dst []byte, e *storage.Event, p *subscription.Push) []byte {
	return fmt.Appendf(dst, "%d of %d", e.Sequence, p.ID)
}

func quietFeed(store Store, cacheBytes int64) *feed {
	return newFeed(feedOptions{store: store, logger: slog.New(slog.DiscardHandler), appendRow: testRow, cacheBytes: cacheBytes})
}

// start begins a feed whose steps the test takes itself.
func (f *feed) start(from int64) *feed {
	f.shelf.begin(from)
	close(f.started)
	return f
}

// last returns the sequence of the latest event.
func (l *memoryLog) last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == 0 {
		return 0
	}
	return l.events[len(l.events)-1].Sequence
}

// pushOf returns the push of an event.
func (l *memoryLog) pushOf(sequence int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.events, sequence, func(e storage.Event, s int64) int { return int(e.Sequence - s) })
	return l.events[i].PushID
}
