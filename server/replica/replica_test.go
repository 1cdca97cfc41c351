package replica_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"

	"susul.dev/susul/server/replica"
	"susul.dev/susul/server/replica/etcdtest"
)

// patience bounds what must happen soon, on a machine that may be busy.
const patience = 20 * time.Second

var (
	errExists      = errors.New("thing exists")
	errNotFound    = errors.New("thing not found")
	errConflict    = errors.New("thing was changed meanwhile")
	errUnavailable = errors.New("things are unavailable")
	errBad         = errors.New("bad thing")
)

// things is a snapshot of what the tests keep: texts, of which those that begin with "bad" can't be read.
type things struct {
	revision int64
	byName   map[string]string
}

const prefix = "/things/"

// node is one node's replica.
type node struct {
	*replica.Replica[string, things]
	client   *clientv3.Client
	registry *prometheus.Registry
}

// nameOf leaves keys that have a further slash.
func nameOf(key string) (string, bool) {
	name := strings.TrimPrefix(key, prefix)
	return name, name != key && !strings.Contains(name, "/")
}

func unstartedNode(client *clientv3.Client) *node {
	n := &node{client: client, registry: prometheus.NewRegistry()}
	n.Replica = replica.New(replica.Options[string, things]{
		Client: client, Prefix: prefix, Name: nameOf,
		Decode: func(kv *mvccpb.KeyValue, last string) (string, error) {
			if strings.HasPrefix(string(kv.Value), "bad") {
				return "", fmt.Errorf("%w after %q", errBad, last)
			}
			return string(kv.Value), nil
		},
		Build: func(revision int64, entries map[string]string) *things {
			s := &things{revision: revision, byName: make(map[string]string, len(entries))}
			for key, value := range entries {
				name, _ := nameOf(key)
				s.byName[name] = value
			}
			return s
		},
		Size:   func(s *things) int { return len(s.byName) },
		Errors: replica.Errors{Exists: errExists, NotFound: errNotFound, Conflict: errConflict, Unavailable: errUnavailable},
		Logger: slog.New(slog.DiscardHandler), Metrics: replica.NewMetrics(n.registry, "thing", "things"),
	})
	return n
}

// newNode returns a replica that has loaded and runs until the test ends.
func newNode(t testing.TB, client *clientv3.Client) *node {
	t.Helper()
	n := unstartedNode(client)
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = n.Run(ctx) }) // nil, as it says
	t.Cleanup(func() { cancel(); run.Wait() })
	select {
	case <-n.Loaded():
	case <-time.After(patience):
		require.Fail(t, "nothing was loaded", "%+v", n.Status())
	}
	return n
}

// waitFor returns the first snapshot for which the condition holds.
func (n *node) waitFor(t *testing.T, condition func(*things) bool) *things {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := n.Snapshot()
	for !condition(s) {
		var err error
		s, err = n.Wait(ctx, s.revision)
		require.NoError(t, err)
	}
	return s
}

// metric returns the value of a gauge or counter.
func (n *node) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := n.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	require.Fail(t, "no such metric", name)
	return 0
}

func (n *node) connected() bool { return n.Status().Connected }

func (n *node) set(t *testing.T, name, value string) {
	t.Helper()
	require.NoError(t, n.Set(t.Context(), prefix+name, []byte(value)))
}

func is(name, value string) func(*things) bool {
	return func(s *things) bool { return s.byName[name] == value }
}

func isAbsent(name string) func(*things) bool {
	return func(s *things) bool { _, ok := s.byName[name]; return !ok }
}

// to is a change that leads to a value.
func to(value string) func(*mvccpb.KeyValue) ([]byte, error) {
	return func(*mvccpb.KeyValue) ([]byte, error) { return []byte(value), nil }
}

func TestWrites(t *testing.T) {
	n := newNode(t, etcdtest.Start(t).Client())
	ctx := t.Context()
	const key = prefix + "a"
	created, err := n.Create(ctx, key, []byte("1"))
	require.NoError(t, err)
	require.Equal(t, "1", n.Snapshot().byName["a"], "the node has it when Create returns")
	require.Equal(t, created, n.Snapshot().revision)
	require.EqualValues(t, 1, n.metric(t, "susul_things"))
	require.EqualValues(t, created, n.metric(t, "susul_thing_applied_revision"))
	_, err = n.Create(ctx, key, []byte("2"))
	require.ErrorIs(t, err, errExists)
	require.EqualError(t, err, "thing exists: a")

	updated, err := n.Update(ctx, key, created, func(kv *mvccpb.KeyValue) ([]byte, error) {
		require.Equal(t, "1", string(kv.Value))
		require.Equal(t, created, kv.ModRevision)
		return []byte("2"), nil
	})
	require.NoError(t, err)
	require.Greater(t, updated, created)
	require.Equal(t, "2", n.Snapshot().byName["a"])
	_, err = n.Update(ctx, key, created, to("3"))
	require.ErrorIs(t, err, errConflict)
	_, err = n.Update(ctx, prefix+"nobody", 0, to("3"))
	require.ErrorIs(t, err, errNotFound)
	refuse := errors.New("refused")
	_, err = n.Update(ctx, key, 0, func(*mvccpb.KeyValue) ([]byte, error) { return nil, refuse })
	require.ErrorIs(t, err, refuse)

	n.set(t, "a", "4")
	require.Equal(t, "4", n.Snapshot().byName["a"])
	require.ErrorIs(t, n.Delete(ctx, key, updated), errConflict)
	require.NoError(t, n.Delete(ctx, key, n.Snapshot().revision))
	require.Empty(t, n.Snapshot().byName)
	require.ErrorIs(t, n.Delete(ctx, key, 0), errNotFound)
	n.set(t, "a", "5")
	n.set(t, "ab", "5")
	count, err := n.Count(ctx, prefix+"a")
	require.NoError(t, err)
	require.EqualValues(t, 2, count)
	require.NoError(t, n.Delete(ctx, key, 0))
}

func TestConcurrentUpdates(t *testing.T) {
	etcd := etcdtest.Start(t)
	nodes := []*node{newNode(t, etcd.Client()), newNode(t, etcd.Client())}
	created, err := nodes[0].Create(t.Context(), prefix+"a", []byte("x"))
	require.NoError(t, err)
	nodes[1].waitFor(t, is("a", "x"))

	const writers = 8
	update := func(revision int64) (won, lost int64) {
		var wins, losses atomic.Int64
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				_, err := nodes[i%2].Update(t.Context(), prefix+"a", revision, func(kv *mvccpb.KeyValue) ([]byte, error) {
					return append(kv.Value, 'x'), nil
				})
				switch {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, errConflict):
					losses.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		return wins.Load(), losses.Load()
	}
	won, lost := update(created)
	require.EqualValues(t, 1, won, "one wins with the revision")
	require.EqualValues(t, writers-1, lost)
	won, _ = update(0)
	require.EqualValues(t, writers, won, "all win without")
	nodes[0].waitFor(t, is("a", strings.Repeat("x", 2+writers))) // no update is lost
}

func TestWaitEndsWithItsContext(t *testing.T) {
	n := newNode(t, etcdtest.Start(t).Client())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := n.Wait(ctx, n.Snapshot().revision)
	require.ErrorIs(t, err, context.Canceled)
	s, err := n.Wait(ctx, n.Snapshot().revision-1)
	require.NoError(t, err, "what is there needs no waiting")
	require.Same(t, n.Snapshot(), s)
}

func TestLoadOverManyPages(t *testing.T) {
	client := etcdtest.Start(t).Client()
	const count = 450
	for i := range count {
		_, err := client.Put(t.Context(), fmt.Sprintf("%sp%d", prefix, i), "x")
		require.NoError(t, err)
	}
	for _, key := range []string{"/thingszzz", "/things", prefix + "p7/x"} {
		_, err := client.Put(t.Context(), key, "bad: not ours")
		require.NoError(t, err)
	}
	n := newNode(t, client)
	require.Len(t, n.Snapshot().byName, count)
	require.Empty(t, n.Status().Broken)
}

func TestWhatCannotBeReadKeepsItsLastGoodVersion(t *testing.T) {
	etcd := etcdtest.Start(t)
	n := newNode(t, etcd.Client())
	n.set(t, "a", "good")
	n.set(t, "b", "bad from the beginning")
	for range 3 {
		n.set(t, "a", "bad")
		require.Equal(t, map[string]string{"a": "good"}, n.Snapshot().byName)
		require.Equal(t, []string{"a", "b"}, n.Status().Broken)
	}
	require.EqualValues(t, 2, n.metric(t, "susul_things_broken"))
	other := newNode(t, etcd.Client())
	require.Empty(t, other.Snapshot().byName, "a node that saw no good version serves none")
	require.Equal(t, []string{"a", "b"}, other.Status().Broken)

	require.NoError(t, n.Delete(t.Context(), prefix+"b", 0), "it can be removed")
	n.set(t, "a", "mended")
	require.Empty(t, n.Status().Broken)
	require.Zero(t, n.metric(t, "susul_things_broken"))
	other.waitFor(t, is("a", "mended"))
	require.Empty(t, other.Status().Broken)
}

// Whoever else writes below the prefix.
func TestKeysOfOthersAreNotSeen(t *testing.T) {
	n := newNode(t, etcdtest.Start(t).Client())
	n.set(t, "a", "1")
	s := n.Snapshot()
	put, err := n.client.Put(t.Context(), prefix+"a/x", "bad")
	require.NoError(t, err)
	deleted, err := n.client.Delete(t.Context(), prefix+"a/x")
	require.NoError(t, err)
	require.Greater(t, deleted.Header.GetRevision(), put.Header.GetRevision())
	require.Eventually(t, func() bool { return n.Status().AppliedRevision >= deleted.Header.GetRevision() }, patience, 10*time.Millisecond)
	require.Same(t, s, n.Snapshot(), "nothing changed")
	require.Empty(t, n.Status().Broken)

	_, err = n.client.Txn(t.Context()).Then(
		clientv3.OpPut(prefix+"a/x", "x"), clientv3.OpDelete(prefix+"a"), clientv3.OpPut(prefix+"b", "1"), clientv3.OpPut(prefix+"z/x", "x"),
	).Commit()
	require.NoError(t, err)
	s = n.waitFor(t, is("b", "1"))
	require.Equal(t, map[string]string{"b": "1"}, s.byName, "a change of ours in a transaction with one of theirs is seen whole")
}

func TestSnapshotEqualsModel(t *testing.T) {
	etcd := etcdtest.Start(t)
	one, two := newNode(t, etcd.Client()), newNode(t, etcd.Client())
	names, values := rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.SampledFrom([]string{"1", "2", "3", "bad"})
	rapid.Check(t, func(rt *rapid.T) {
		left, err := one.client.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
		require.NoError(rt, err)
		for _, kv := range left.Kvs {
			require.NoError(rt, one.Delete(t.Context(), string(kv.Key), 0))
		}
		model, held, revisions := make(map[string]string), make(map[string]string), make(map[string]int64)
		write := func(name, value string, revision int64) {
			held[name], revisions[name] = value, revision
			if value != "bad" {
				model[name] = value
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				name, value := names.Draw(rt, "name"), values.Draw(rt, "value")
				revision, err := one.Create(t.Context(), prefix+name, []byte(value))
				if _, exists := held[name]; exists {
					require.ErrorIs(rt, err, errExists)
					return
				}
				require.NoError(rt, err)
				write(name, value, revision)
			},
			"update": func(rt *rapid.T) {
				name, value := names.Draw(rt, "name"), values.Draw(rt, "value")
				revision, err := one.Update(t.Context(), prefix+name, revisions[name], to(value))
				if _, exists := held[name]; !exists {
					require.ErrorIs(rt, err, errNotFound)
					return
				}
				require.NoError(rt, err)
				write(name, value, revision)
			},
			"delete": func(rt *rapid.T) {
				name := names.Draw(rt, "name")
				err := one.Delete(t.Context(), prefix+name, revisions[name])
				if _, exists := held[name]; !exists {
					require.ErrorIs(rt, err, errNotFound)
					return
				}
				require.NoError(rt, err)
				delete(model, name)
				delete(held, name)
				delete(revisions, name)
			},
			"": func(rt *rapid.T) { require.Equal(rt, model, one.Snapshot().byName) },
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		other, err := two.Wait(ctx, one.Snapshot().revision-1)
		require.NoError(rt, err)
		require.Equal(rt, model, other.byName)
		for _, n := range []*node{one, two} {
			broken := make(map[string]string)
			for _, name := range n.Status().Broken {
				broken[name] = "bad"
			}
			want := maps.Clone(held)
			maps.DeleteFunc(want, func(_, value string) bool { return value != "bad" })
			require.Equal(rt, want, broken)
		}
	})
}
