package relay

import (
	"context"
	"sync"
	"time"
)

// stopGrace is how long requests under way may take when the relay stops, in real time.
const stopGrace = 5 * time.Second

// tasks are the relay's goroutines that come and go.
type tasks struct {
	reading context.Context // ends when the relay stops
	posting context.Context // ends a moment later

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
	endRead context.CancelFunc
	endPost context.CancelFunc
}

func newTasks() *tasks {
	t := &tasks{}
	t.reading, t.endRead = context.WithCancel(context.Background())
	t.posting, t.endPost = context.WithCancel(context.Background())
	return t
}

// start runs f in a goroutine, unless the relay stops.
func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return false
	}
	t.running.Go(f)
	return true
}

// stop ends all, and waits for it. Requests under way have a grace unless they are to be broken off.
func (t *tasks) stop(breakOff bool) {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.endRead()
	if breakOff {
		t.endPost()
	} else {
		late := time.AfterFunc(stopGrace, t.endPost) //nolint:forbidigo // requests take real time
		defer late.Stop()
	}
	t.running.Wait()
	t.endPost()
}
