package replica_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"susul.dev/susul/server/replica/etcdtest"
)

// lossy is etcd over a network that loses what it is told to: the next transactions, each before it has its effect or after.
type lossy struct {
	clientv3.KV
	mu    sync.Mutex
	fates []fate
}

// fate is what becomes of a transaction whose answer gets lost.
type fate struct {
	done bool   // it has its effect
	then func() // happens before the next
	err  error
}

func (l *lossy) Txn(ctx context.Context) clientv3.Txn { return &lossyTxn{Txn: l.KV.Txn(ctx), from: l} }

type lossyTxn struct {
	clientv3.Txn
	from *lossy
}

func (x *lossyTxn) If(cs ...clientv3.Cmp) clientv3.Txn { x.Txn = x.Txn.If(cs...); return x }
func (x *lossyTxn) Then(o ...clientv3.Op) clientv3.Txn { x.Txn = x.Txn.Then(o...); return x }
func (x *lossyTxn) Else(o ...clientv3.Op) clientv3.Txn { x.Txn = x.Txn.Else(o...); return x }

func (x *lossyTxn) Commit() (*clientv3.TxnResponse, error) {
	x.from.mu.Lock()
	defer x.from.mu.Unlock()
	if len(x.from.fates) == 0 {
		return x.Txn.Commit()
	}
	next := x.from.fates[0]
	x.from.fates = x.from.fates[1:]
	if next.done {
		if answer, err := x.Txn.Commit(); err != nil || !answer.Succeeded {
			return answer, errors.Join(err, errors.New("it had no effect"))
		}
	}
	if next.then != nil {
		next.then()
	}
	return nil, next.err
}

// A write whose answer is lost, with a member of etcd or its leader, is done once, and known to be done.
func TestWritesWhoseAnswersAreLost(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	client := etcd.Client()
	network := &lossy{KV: client.KV}
	client.KV = network
	n := newNode(t, client)
	other := etcd.Client()
	lost := errors.New("connection reset")
	for _, fates := range [][]fate{
		{{done: true, err: lost}},
		{{done: false, err: lost}},
		{{done: false, err: rpctypes.ErrLeaderChanged}, {done: true, err: rpctypes.ErrTimeoutDueToLeaderFail}},
	} {
		lose := func() { network.fates = append(network.fates, fates...) }
		lose()
		created, err := n.Create(t.Context(), prefix+"a", []byte("1"))
		require.NoError(t, err)
		requireKey(t, other, "a", "1", created)
		lose()
		updated, err := n.Update(t.Context(), prefix+"a", created, to("2"))
		require.NoError(t, err)
		requireKey(t, other, "a", "2", updated)
		require.Equal(t, created+1, updated, "once")
		lose()
		require.NoError(t, n.Delete(t.Context(), prefix+"a", updated))
		requireKey(t, other, "a", "", updated+1)
		require.Empty(t, network.fates)
	}

	// What another has written meanwhile stays, and is not taken for ours.
	overwrite := func() {
		_, err := other.Put(t.Context(), prefix+"a", "other's")
		require.NoError(t, err)
	}
	for _, done := range []bool{true, false} {
		network.fates = []fate{{done: done, then: overwrite, err: lost}}
		_, err := n.Create(t.Context(), prefix+"a", []byte("1"))
		require.ErrorIs(t, err, errExists)
		require.NoError(t, n.Delete(t.Context(), prefix+"a", 0))
		created, err := n.Create(t.Context(), prefix+"a", []byte("1"))
		require.NoError(t, err)
		network.fates = []fate{{done: done, then: overwrite, err: lost}}
		_, err = n.Update(t.Context(), prefix+"a", created, to("2"))
		require.ErrorIs(t, err, errConflict)
		require.NoError(t, n.Delete(t.Context(), prefix+"a", 0))
	}

	// What etcd refuses is not asked for again.
	network.fates = []fate{{err: rpctypes.ErrNoSpace}}
	_, err := n.Create(t.Context(), prefix+"b", []byte("1"))
	require.ErrorIs(t, err, errUnavailable)
	require.ErrorIs(t, err, rpctypes.ErrNoSpace)
}

// requireKey requires what a key holds, "" meaning that it is absent, and etcd's or its revision.
func requireKey(t *testing.T, client *clientv3.Client, name, value string, revision int64) {
	t.Helper()
	got, err := client.Get(t.Context(), prefix+name)
	require.NoError(t, err)
	if value == "" {
		require.Empty(t, got.Kvs)
		require.Equal(t, revision, got.Header.GetRevision())
		return
	}
	require.Len(t, got.Kvs, 1)
	require.Equal(t, value, string(got.Kvs[0].Value))
	require.Equal(t, revision, got.Kvs[0].ModRevision)
}
