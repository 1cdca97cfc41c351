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

	// loadPage is how many keys are read at once.
	loadPage = 200
)

var (
	errSilent     = fmt.Errorf("etcd was silent for %s", maxSilence)
	errWatchEnded = errors.New("watch ended")
	// errWentBack says that etcd is at an earlier revision than our snapshot, as after a restore from a backup.
	errWentBack = errors.New("etcd went back to an earlier revision")
)

// Run loads the policies and switches and then follows their changes until the context ends; it returns nil then. Whatever goes
// wrong with etcd shows in Status and is tried again.
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
	responses := s.client.Watch(ctx, root, clientv3.WithPrefix(), clientv3.WithRev(s.Snapshot().Revision+1),
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
	next := &Snapshot{byID: maps.Clone(snapshot.byID), switches: maps.Clone(snapshot.switches)}
	for _, event := range response.Events {
		if s.apply(next, event) {
			next.Revision = event.Kv.ModRevision
		}
	}
	if next.Revision > 0 {
		s.publish(newSnapshot(next.Revision, next.byID, next.switches))
	}
	// The header may be ahead of the events, so that more of them are to come; the last event is not.
	s.connected(response.Events[len(response.Events)-1].Kv.ModRevision)
	return nil
}

// apply changes the snapshot to be, and reports whether the event was about something in it.
func (s *Store) apply(next *Snapshot, event *clientv3.Event) bool {
	if event.Type != mvccpb.Event_DELETE {
		return s.take(next, event.Kv, next)
	}
	key := string(event.Kv.Key)
	if id, ok := strings.CutPrefix(key, Prefix); ok {
		delete(next.byID, id)
	} else if app, ok := switchOf(key); ok {
		delete(next.switches, app)
	} else {
		return false
	}
	s.mended(key)
	return true
}

// load replaces the snapshot by what etcd has, in pages of one revision.
func (s *Store) load(ctx context.Context) error {
	old := s.Snapshot()
	next := &Snapshot{byID: make(map[string]*Compiled), switches: make(map[string]Switch)}
	seen := make(map[string]bool)
	for key, more := root, true; more; {
		page, err := call(ctx, func(ctx context.Context) (*clientv3.GetResponse, error) {
			return s.client.Get(ctx, key, clientv3.WithRange(clientv3.GetPrefixRangeEnd(root)),
				clientv3.WithLimit(loadPage), clientv3.WithRev(next.Revision))
		})
		if err != nil {
			return fmt.Errorf("load policies: %w", err)
		}
		if next.Revision == 0 {
			next.Revision = page.Header.GetRevision()
		}
		for _, kv := range page.Kvs {
			seen[brokenName(string(kv.Key))] = true
			s.take(next, kv, old)
			key = string(kv.Key) + "\x00" // the next key
		}
		more = page.More
	}
	s.forgetBroken(seen)
	s.metrics.reloads.Inc()
	s.publish(newSnapshot(next.Revision, next.byID, next.switches))
	s.logger.InfoContext(ctx, "policies loaded", "revision", next.Revision, "policies", len(next.byID))
	return nil
}

// take puts what a key holds into the snapshot to be, or its last good version if it is unusable. It reports whether the key
// is one of ours.
func (s *Store) take(next *Snapshot, kv *mvccpb.KeyValue, last *Snapshot) bool {
	key := string(kv.Key)
	if id, ok := strings.CutPrefix(key, Prefix); ok {
		good, had := last.byID[id]
		c, err := compileStored(id, kv, good)
		s.judge(kv, had, err)
		if err != nil {
			c = good
		}
		if c != nil {
			next.byID[id] = c
		}
		return true
	}
	app, ok := switchOf(key)
	if !ok {
		return false
	}
	good, had := last.switches[app]
	w, err := decodeSwitch(app, kv.Value)
	s.judge(kv, had, err)
	if err != nil {
		w = good
	}
	if err == nil || had {
		next.switches[app] = w
	}
	return true
}

// compileStored returns the policy that a key holds; last is its last good version, if any.
func compileStored(id string, kv *mvccpb.KeyValue, last *Compiled) (*Compiled, error) {
	if last != nil && last.Policy.Revision == kv.ModRevision && bytes.Equal(last.spec, kv.Value) {
		return last, nil
	}
	p, err := Decode(kv.Value, kv.ModRevision)
	if err != nil {
		return nil, err
	}
	if p.ID != id {
		return nil, fmt.Errorf("policy %q is stored under another id", p.ID)
	}
	return Compile(p)
}

// judge notes whether a key's latest version is usable.
func (s *Store) judge(kv *mvccpb.KeyValue, had bool, err error) {
	if err == nil {
		s.mended(string(kv.Key))
		return
	}
	s.logger.Error("what etcd has is unusable; its last good version stays", "key", string(kv.Key),
		"revision", kv.ModRevision, "had_good_version", had, "error", err)
	s.broke(string(kv.Key), err)
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

func (s *Store) broke(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = make(map[string]error)
	}
	s.broken[brokenName(key)] = err
	s.metrics.broken.Set(float64(len(s.broken)))
}

func (s *Store) mended(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.broken, brokenName(key))
	s.metrics.broken.Set(float64(len(s.broken)))
}

// forgetBroken drops those that are gone.
func (s *Store) forgetBroken(seen map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.broken, func(name string, _ error) bool { return !seen[name] })
	s.metrics.broken.Set(float64(len(s.broken)))
}

// brokenName is what Status.Broken calls a key.
func brokenName(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, Prefix), root)
}
