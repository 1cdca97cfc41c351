package api

import (
	"sync"
	"time"
)

// nonces remembers what was signed, and for which body, as hashes. There are two generations of them: when the recent
// one has half of all that may be remembered, or has lasted for a lifetime, it becomes the older one, and what was the
// older one is forgotten as a whole. So memory is bounded, and goes back after a rush; at least the latest half of what
// may be remembered is, and nothing younger than a lifetime is forgotten before that.
//
// What was forgotten can be used again while its time is still good. That is better than to refuse an honest caller: who
// replays it can touch known messages of the app and their recipients only.
type nonces struct {
	half     int           // of all that are remembered
	lifetime time.Duration // 0: for ever

	mu     sync.Mutex
	recent map[uint64]uint64 // the body of what was signed
	older  map[uint64]uint64
	began  time.Time // of the recent generation
}

// newNonces returns nil if nothing is to be remembered.
func newNonces(capacity int, lifetime time.Duration) *nonces {
	if capacity == 0 {
		return nil
	}
	return &nonces{half: (capacity + 1) / 2, lifetime: lifetime, recent: map[uint64]uint64{}}
}

// use reports whether what was signed may bring this body: it is new, or has brought the same before.
func (n *nonces) use(signed, body uint64, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	first, known := n.recent[signed]
	if !known {
		first, known = n.older[signed]
	}
	if known {
		return first == body
	}
	if len(n.recent) >= n.half || n.lifetime > 0 && now.Sub(n.began) > n.lifetime {
		n.older, n.recent, n.began = n.recent, map[uint64]uint64{}, now
	}
	n.recent[signed] = body
	return true
}
