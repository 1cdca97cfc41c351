package schedule

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

// All of these are real time: they bound a network.
const (
	// probeInterval is how often etcd is asked for a sign of life on a watch.
	probeInterval = 500 * time.Millisecond
	// maxSilence is how long a watch may be silent before it is opened again, with the next member.
	maxSilence = 2 * time.Second
	// minOpening is how long it may take to open, at first. It is doubled with every try, up to maxSilence.
	minOpening = 500 * time.Millisecond
)

// streams bounds the client's streams, of which a probe may leave one behind: more than a candidate's watches and those that they replace.
const streams = 8

// watcher opens watches that outlast the member of etcd that they are with, be it that it ends, freezes, or is without a leader.
type watcher struct {
	clientv3.Watcher
	name  string // of its streams
	clock clockwork.Clock
	open  sync.WaitGroup // watches, until their context has ended
	tries atomic.Int64
}

// Watch watches until the context ends, or until etcd refuses to go on.
func (w *watcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	responses := make(chan clientv3.WatchResponse)
	w.open.Go(func() {
		defer close(responses)
		watch := watch{watcher: w, key: key, opts: opts, to: responses, opening: minOpening}
		for ctx.Err() == nil && watch.follow(ctx) {
			select {
			case <-w.clock.After(rand.N(minBackoff)): // so that several do not always turn to the same members in turn
			case <-ctx.Done():
			}
		}
	})
	return responses
}

// watch is one of a watcher's.
type watch struct {
	*watcher
	key     string
	opts    []clientv3.OpOption
	to      chan<- clientv3.WatchResponse
	next    int64 // the revision from which on; 0 for that of opts
	opening time.Duration
}

// follow hands on what one member says, and reports whether another is to be asked.
func (w *watch) follow(ctx context.Context) bool {
	// Watches of the same metadata share a stream, and with it a member.
	stream := fmt.Sprintf("%s %d", w.name, w.tries.Add(1)%streams)
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(clientv3.WithRequireLeader(ctx), "susul-watch", stream))
	defer cancel()
	opts := append(slices.Clone(w.opts), clientv3.WithCreatedNotify())
	if w.next > 0 {
		opts = append(opts, clientv3.WithRev(w.next))
	}
	silence := w.clock.AfterFunc(w.opening, cancel)
	defer silence.Stop()
	w.opening = min(2*w.opening, maxSilence)
	probe := w.clock.NewTicker(probeInterval)
	defer probe.Stop()
	responses := w.Watcher.Watch(ctx, w.key, opts...)
	for {
		select {
		case response, ok := <-responses:
			if !ok || errors.Is(response.Err(), rpctypes.ErrNoLeader) {
				return true
			}
			if !w.hand(ctx, response) {
				return response.Err() == nil
			}
			silence.Reset(maxSilence)
			w.opening = minOpening
		case <-probe.Chan():
			_ = w.RequestProgress(ctx) // if it fails, there is silence
		}
	}
}

// hand hands a response on, if there is something in it, and reports whether more can follow.
func (w *watch) hand(ctx context.Context, response clientv3.WatchResponse) bool {
	count := len(response.Events)
	if count > 0 || response.Err() != nil {
		select {
		case w.to <- response:
		case <-ctx.Done():
			return false
		}
	}
	switch {
	case count > 0: // there may be more of the header's revision
		w.next = response.Events[count-1].Kv.ModRevision + 1
	case response.IsProgressNotify():
		w.next = response.Header.GetRevision() + 1
	}
	return response.Err() == nil
}
