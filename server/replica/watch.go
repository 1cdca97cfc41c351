package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"
)

// All of these are real time: they bound a network.
const (
	// probeInterval is how often etcd is asked for a sign of life on the watch.
	probeInterval = time.Second
	// maxSilence is how long the watch may be silent before it is taken for dead.
	maxSilence = 3 * time.Second
	// minOpening is how long it may take to open, at first: the member that is to open it may be frozen, and another ready. It is
	// doubled with every try, up to maxSilence.
	minOpening = 750 * time.Millisecond

	minBackoff = 100 * time.Millisecond
	maxBackoff = 3 * time.Second

	// streams bounds the client's streams, of which a probe may leave one behind.
	streams = 4

	// loadPage is how many keys are read at once.
	loadPage = 200
)

var (
	errSilent     = errors.New("etcd is silent")
	errWatchEnded = errors.New("watch ended")
	// errWentBack says that etcd is at an earlier revision than our state, as after a restore from a backup.
	errWentBack = errors.New("etcd went back to an earlier revision")
)

// Run loads all entries and then follows their changes until the context ends; it returns nil then. Whatever goes wrong with etcd
// shows in Status and is tried again.
func (r *Replica[E, S]) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minBackoff, maxBackoff
	reload, opening := true, minOpening
	for {
		var err error
		if reload {
			err = r.load(ctx)
		}
		if err == nil {
			opened := false
			err = r.follow(ctx, opening, func() { opened = true })
			if opening = min(2*opening, maxSilence); opened {
				opening = minOpening
				pause.Reset()
			}
			// A compacted revision can't be watched any more. A lost connection can be resumed.
			reload = errors.Is(err, rpctypes.ErrCompacted) || errors.Is(err, errWentBack)
		}
		if ctx.Err() != nil {
			return nil
		}
		r.disconnected(err)
		timer := time.NewTimer(pause.NextBackOff()) //nolint:forbidigo // paces a network
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// follow watches from the state's revision on until something goes wrong. The first sign of life must come while it opens; it calls
// alive at each.
func (r *Replica[E, S]) follow(ctx context.Context, opening time.Duration, alive func()) error {
	// A member without a leader ends the watch. Watches of the same metadata share a stream, and with it a member: this one has its
	// own, and the next try another, with the next member.
	ctx, cancel := context.WithCancelCause(clientv3.WithRequireLeader(ctx))
	defer cancel(nil)
	ctx = metadata.AppendToOutgoingContext(ctx, "susul-watch", fmt.Sprintf("%s %d", r.Prefix, r.tries.Add(1)%streams))
	// The client itself waits without an end for an etcd that is down, even while it opens the watch.
	watchdog := time.AfterFunc(opening, func() { cancel(errSilent) }) //nolint:forbidigo // times a network
	defer watchdog.Stop()
	probe := time.NewTicker(probeInterval) //nolint:forbidigo // times a network
	defer probe.Stop()
	responses := r.Client.Watch(ctx, r.Prefix, clientv3.WithPrefix(), clientv3.WithRev(r.state.Load().revision+1),
		clientv3.WithCreatedNotify())
	for {
		select {
		case response, ok := <-responses:
			if !ok {
				return errors.Join(errWatchEnded, context.Cause(ctx))
			}
			if err := r.receive(response); err != nil {
				return errors.Join(err, context.Cause(ctx))
			}
			watchdog.Reset(maxSilence)
			alive()
		case <-probe.C:
			if err := r.Client.RequestProgress(ctx); err != nil {
				return errors.Join(err, context.Cause(ctx))
			}
		}
	}
}

// receive applies what the watch says.
func (r *Replica[E, S]) receive(response clientv3.WatchResponse) error {
	if err := response.Err(); err != nil {
		return err
	}
	state := r.state.Load()
	if response.Header.GetRevision() < state.revision {
		return errWentBack
	}
	if len(response.Events) == 0 {
		r.connected(response.Header.GetRevision())
		return nil
	}
	entries, revision := maps.Clone(state.entries), int64(0)
	for _, event := range response.Events {
		if r.apply(entries, event) {
			revision = event.Kv.ModRevision
		}
	}
	if revision > 0 {
		r.publish(revision, entries)
		r.Logger.Info("a change in etcd is applied", "prefix", r.Prefix, "revision", revision)
	}
	// The header may be ahead of the events, so that more of them are to come; the last event is not.
	r.connected(response.Events[len(response.Events)-1].Kv.ModRevision)
	return nil
}

// apply changes the entries to be, and reports whether the event was about a key of ours.
func (r *Replica[E, S]) apply(entries map[string]E, event *clientv3.Event) bool {
	key := string(event.Kv.Key)
	name, ours := r.Name(key)
	switch {
	case !ours:
	case event.Type == mvccpb.Event_DELETE:
		delete(entries, key)
		r.mended(name)
	default:
		r.take(entries, name, event.Kv, entries)
	}
	return ours
}

// load replaces the state by what etcd has, in pages of one revision.
func (r *Replica[E, S]) load(ctx context.Context) error {
	last, entries, revision := r.state.Load().entries, make(map[string]E), int64(0)
	seen := make(map[string]bool)
	for next, more := r.Prefix, true; more; {
		page, err := call(ctx, r.Errors.Unavailable, func(ctx context.Context) (*clientv3.GetResponse, error) {
			return r.Client.Get(ctx, next, clientv3.WithRange(clientv3.GetPrefixRangeEnd(r.Prefix)),
				clientv3.WithLimit(loadPage), clientv3.WithRev(revision))
		})
		if err != nil {
			return fmt.Errorf("load %s: %w", r.Prefix, err)
		}
		if revision == 0 {
			revision = page.Header.GetRevision()
		}
		for _, kv := range page.Kvs {
			key := string(kv.Key)
			if name, ours := r.Name(key); ours {
				seen[name] = true
				r.take(entries, name, kv, last)
			}
			next = key + "\x00"
		}
		more = page.More
	}
	r.forgetBroken(seen)
	r.Metrics.loads.Inc()
	snapshot := r.publish(revision, entries)
	r.Logger.InfoContext(ctx, "loaded from etcd", "prefix", r.Prefix, "revision", revision, "size", r.Size(snapshot))
	return nil
}

// take puts what a key holds into the entries to be, or its last good version if it can't be read.
func (r *Replica[E, S]) take(entries map[string]E, name string, kv *mvccpb.KeyValue, last map[string]E) {
	good, had := last[string(kv.Key)]
	entry, err := r.Decode(kv, good)
	switch {
	case err == nil:
		r.mended(name)
		entries[string(kv.Key)] = entry
		return
	case had:
		entries[string(kv.Key)] = good
	}
	r.Logger.Error("what etcd has is unusable; its last good version stays", "key", string(kv.Key), "revision", kv.ModRevision,
		"had_good_version", had, "error", err)
	r.broke(name, err)
}
