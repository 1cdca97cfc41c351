package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// All of these are real time: they bound a network.
const (
	// probeInterval is how often etcd is asked for a sign of life on the watch.
	probeInterval = time.Second
	// maxSilence is how long the watch may be silent before it is taken for dead.
	maxSilence = 3 * time.Second

	minBackoff = 100 * time.Millisecond
	maxBackoff = 3 * time.Second

	// loadPage is how many policies are read at once.
	loadPage = 200
)

var (
	errSilent     = fmt.Errorf("etcd was silent for %s", maxSilence)
	errWatchEnded = errors.New("watch ended")
	// errWentBack says that etcd is at an earlier revision than our snapshot, as after a restore from a backup.
	errWentBack = errors.New("etcd went back to an earlier revision")
)

// Run loads the policies and then follows their changes until the context ends; it returns nil then. Whatever goes wrong
// with etcd shows in Status and is tried again.
func (s *Store) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minBackoff, maxBackoff
	reload := true
	for {
		var err error
		if reload {
			err = s.load(ctx)
		}
		if err == nil {
			err = s.follow(ctx, pause.Reset)
			// A compacted revision can't be watched any more. A lost connection can be resumed.
			reload = errors.Is(err, rpctypes.ErrCompacted) || errors.Is(err, errWentBack)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.disconnected(err)
		timer := time.NewTimer(pause.NextBackOff()) //nolint:forbidigo // paces a network
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// follow watches from the snapshot's revision on until something goes wrong. It calls alive at every sign of life.
func (s *Store) follow(ctx context.Context, alive func()) error {
	ctx, cancel := context.WithCancelCause(clientv3.WithRequireLeader(ctx))
	defer cancel(nil)
	// The client itself waits without an end for an etcd that is down, even while it opens the watch.
	watchdog := time.AfterFunc(maxSilence, func() { cancel(errSilent) }) //nolint:forbidigo // times a network
	defer watchdog.Stop()
	probe := time.NewTicker(probeInterval) //nolint:forbidigo // times a network
	defer probe.Stop()
	responses := s.client.Watch(ctx, Prefix, clientv3.WithPrefix(), clientv3.WithRev(s.Snapshot().Revision+1),
		clientv3.WithCreatedNotify())
	for {
		select {
		case response, ok := <-responses:
			if !ok {
				return errors.Join(errWatchEnded, context.Cause(ctx))
			}
			if err := s.receive(response); err != nil {
				return errors.Join(err, context.Cause(ctx))
			}
			watchdog.Reset(maxSilence)
			alive()
		case <-probe.C:
			if err := s.client.RequestProgress(ctx); err != nil {
				return errors.Join(err, context.Cause(ctx))
			}
		}
	}
}

// receive applies what the watch says.
func (s *Store) receive(response clientv3.WatchResponse) error {
	if err := response.Err(); err != nil {
		return err
	}
	snapshot := s.Snapshot()
	if response.Header.GetRevision() < snapshot.Revision {
		return errWentBack
	}
	if len(response.Events) == 0 {
		s.connected(response.Header.GetRevision())
		return nil
	}
	byID := maps.Clone(snapshot.byID)
	for _, event := range response.Events {
		id := strings.TrimPrefix(string(event.Kv.Key), Prefix)
		if event.Type == mvccpb.Event_DELETE {
			delete(byID, id)
			s.mended(id)
			continue
		}
		if c := s.compile(event.Kv, byID[id]); c != nil {
			byID[id] = c
		}
	}
	// The header may be ahead of the events, so that more of them are to come; the last event is not.
	revision := response.Events[len(response.Events)-1].Kv.ModRevision
	s.publish(newSnapshot(revision, byID))
	s.connected(revision)
	return nil
}

// load replaces the snapshot by what etcd has, in pages of one revision.
func (s *Store) load(ctx context.Context) error {
	old := s.Snapshot()
	byID := make(map[string]*Compiled)
	seen := make(map[string]bool)
	var revision int64
	for key, more := Prefix, true; more; {
		page, err := call(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
			return s.client.Get(ctx, key, clientv3.WithRange(clientv3.GetPrefixRangeEnd(Prefix)),
				clientv3.WithLimit(loadPage), clientv3.WithRev(revision))
		})
		if err != nil {
			return fmt.Errorf("load policies: %w", err)
		}
		if revision == 0 {
			revision = page.Header.GetRevision()
		}
		for _, kv := range page.Kvs {
			id := strings.TrimPrefix(string(kv.Key), Prefix)
			seen[id] = true
			if c := s.compile(kv, old.byID[id]); c != nil {
				byID[id] = c
			}
			key = string(kv.Key) + "\x00" // the next key
		}
		more = page.More
	}
	s.forgetBroken(seen)
	s.metrics.reloads.Inc()
	s.publish(newSnapshot(revision, byID))
	s.logger.InfoContext(ctx, "policies loaded", "revision", revision, "policies", len(byID))
	return nil
}

// compile returns what to serve for a key: its policy, or the last good version if it does not compile, or nil.
func (s *Store) compile(kv *mvccpb.KeyValue, last *Compiled) *Compiled {
	id := strings.TrimPrefix(string(kv.Key), Prefix)
	if last != nil && last.Policy.Revision == kv.ModRevision && bytes.Equal(last.spec, kv.Value) {
		s.mended(id)
		return last
	}
	p, err := Decode(kv.Value, kv.ModRevision)
	if err == nil && p.ID != id {
		err = fmt.Errorf("policy %q is stored under another id", p.ID)
	}
	var c *Compiled
	if err == nil {
		c, err = Compile(p)
	}
	if err != nil {
		s.logger.Error("policy in etcd is unusable; its last good version stays", "policy", id,
			"revision", kv.ModRevision, "had_good_version", last != nil, "error", err)
		s.broke(id, err)
		return last
	}
	s.mended(id)
	return c
}

// publish swaps the snapshot and wakes all who wait. Whoever sees a snapshot sees its metrics too.
func (s *Store) publish(next *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.policies.Set(float64(len(next.list)))
	s.metrics.applied.Set(float64(next.Revision))
	first := s.snapshot.Load().Revision == 0
	s.snapshot.Store(next)
	s.applied = next.Revision
	close(s.changed)
	s.changed = make(chan struct{})
	if first {
		close(s.loaded)
	}
}

// connected notes a sign of life. The revision is one up to which no event is outstanding.
func (s *Store) connected(revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.status.Connected {
		s.status = Status{Connected: true, Since: s.clock.Now()}
		s.metrics.connected.Set(1)
		s.logger.Info("policy watch is connected", "revision", revision)
	}
	s.applied = max(s.applied, revision)
	s.metrics.applied.Set(float64(s.applied))
}

func (s *Store) disconnected(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Connected || s.status.LastError == nil { // told once, not at every attempt
		s.logger.Warn("policies do not follow etcd; the last snapshot goes on serving", "error", err)
	}
	if s.status.Connected {
		s.status.Since = s.clock.Now()
	}
	s.status.Connected, s.status.LastError = false, err
	s.metrics.connected.Set(0)
	s.metrics.failures.Inc()
}

func (s *Store) broke(id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = make(map[string]error)
	}
	s.broken[id] = err
	s.metrics.broken.Set(float64(len(s.broken)))
}

func (s *Store) mended(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.broken, id)
	s.metrics.broken.Set(float64(len(s.broken)))
}

// forgetBroken drops those that are gone.
func (s *Store) forgetBroken(seen map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.broken, func(id string, _ error) bool { return !seen[id] })
	s.metrics.broken.Set(float64(len(s.broken)))
}
