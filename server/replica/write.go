package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// opTimeout bounds each call to etcd, in real time: longer than a cluster takes to elect another leader.
	opTimeout = 8 * time.Second
	// repeatPause is the pause before a call is made again, in real time.
	repeatPause = 50 * time.Millisecond
	// maxAttempts bounds the compare-and-set loop of an update that accepts any revision.
	maxAttempts = 32
)

// Writes return when this node's snapshot has the change, or can't get it within 5 s. The keys must be ours.

// Create writes a key that is absent, and returns the revision. It returns Errors.Exists or Errors.Unavailable.
func (r *Replica[E, S]) Create(ctx context.Context, key string, value []byte) (int64, error) {
	written, ok, err := r.write(ctx, key, 0, clientv3.OpPut(key, string(value)))
	if err == nil && !ok {
		err = r.fail(r.Errors.Exists, key)
	}
	return written, err
}

// Update replaces what a key holds by what change makes of it, and returns the revision. With a revision, it returns Errors.Conflict
// unless the key is at that revision; with 0 it takes any, and calls change again when another writer was faster. It returns change's
// error, Errors.NotFound, Errors.Conflict or Errors.Unavailable.
func (r *Replica[E, S]) Update(ctx context.Context, key string, revision int64, change func(*mvccpb.KeyValue) ([]byte, error)) (int64, error) {
	for range maxAttempts {
		current, err := r.get(ctx, key)
		if err != nil {
			return 0, err
		}
		if revision != 0 && current.ModRevision != revision {
			break
		}
		value, err := change(current)
		if err != nil {
			return 0, err
		}
		written, ok, err := r.write(ctx, key, current.ModRevision, clientv3.OpPut(key, string(value)))
		if err != nil || ok {
			return written, err
		}
	}
	return 0, r.fail(r.Errors.Conflict, key)
}

// Set writes a key whatever it holds. It returns Errors.Unavailable.
func (r *Replica[E, S]) Set(ctx context.Context, key string, value []byte) error {
	written, err := call(ctx, r.Errors.Unavailable, func(ctx context.Context) (*clientv3.PutResponse, error) {
		return repeated(ctx, func(bool) (*clientv3.PutResponse, error) { return r.Client.Put(ctx, key, string(value)) })
	})
	if err != nil {
		return err
	}
	r.await(ctx, key, written.Header.GetRevision())
	return nil
}

// Delete removes a key, also one that can't be read. With a revision, it returns Errors.Conflict unless the key is at that revision; 0
// takes any. It returns Errors.NotFound, Errors.Conflict or Errors.Unavailable.
func (r *Replica[E, S]) Delete(ctx context.Context, key string, revision int64) error {
	for range maxAttempts {
		current, err := r.get(ctx, key, clientv3.WithKeysOnly())
		if err != nil {
			return err
		}
		if revision != 0 && current.ModRevision != revision {
			break
		}
		_, ok, err := r.write(ctx, key, current.ModRevision, clientv3.OpDelete(key))
		if err != nil || ok {
			return err
		}
	}
	return r.fail(r.Errors.Conflict, key)
}

// Count returns how many keys etcd has below a prefix, or Errors.Unavailable.
func (r *Replica[E, S]) Count(ctx context.Context, prefix string) (int64, error) {
	got, err := call(ctx, r.Errors.Unavailable, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.Client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	})
	if err != nil {
		return 0, err
	}
	return got.Count, nil
}

// write does op if the key is at the revision, 0 meaning absent, and waits until the snapshot has it. It returns the new revision.
func (r *Replica[E, S]) write(ctx context.Context, key string, revision int64, op clientv3.Op) (written int64, ok bool, err error) {
	written, err = call(ctx, r.Errors.Unavailable, func(ctx context.Context) (int64, error) {
		return repeated(ctx, func(again bool) (int64, error) {
			result, err := r.Client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
				Then(op).Else(clientv3.OpGet(key)).Commit()
			switch {
			case err != nil:
				return 0, err
			case result.Succeeded:
				return result.Header.GetRevision(), nil
			case again:
				return done(op, result), nil
			default:
				return 0, nil
			}
		})
	})
	if err != nil || written == 0 {
		return 0, false, err
	}
	r.await(ctx, key, written)
	return written, true, nil
}

// done returns the revision of an op that was done without our knowing, by what its key holds now, or 0.
func done(op clientv3.Op, result *clientv3.TxnResponse) int64 {
	found := result.Responses[0].GetResponseRange().GetKvs()
	switch {
	case op.IsDelete() && len(found) == 0:
		return result.Header.GetRevision()
	case op.IsPut() && len(found) == 1 && bytes.Equal(found[0].GetValue(), op.ValueBytes()):
		return found[0].GetModRevision()
	default:
		return 0
	}
}

// repeated makes a call again while its answer gets lost: with the member that it was made to, or with the leader of all. again says
// that an earlier call may have had its effect.
func repeated[T any](ctx context.Context, do func(again bool) (T, error)) (T, error) {
	for again := false; ; again = true {
		result, err := do(again)
		if err == nil || !passing(err) {
			return result, err
		}
		timer := time.NewTimer(repeatPause) //nolint:forbidigo // paces a network
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return result, err
		}
	}
}

// passing reports whether a call may fare better with another member of etcd, or in a moment: etcd says so, or did not say anything.
func passing(err error) bool {
	var said rpctypes.EtcdError
	if !errors.As(rpctypes.Error(err), &said) {
		return true
	}
	return slices.ContainsFunc([]error{
		rpctypes.ErrNoLeader, rpctypes.ErrNotLeader, rpctypes.ErrLeaderChanged, rpctypes.ErrStopped, rpctypes.ErrTimeout,
		rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrTimeoutDueToConnectionLost, rpctypes.ErrTimeoutWaitAppliedIndex,
		rpctypes.ErrUnhealthy, rpctypes.ErrTooManyRequests,
	}, func(known error) bool { return errors.Is(said, known) })
}

// await returns when the snapshot has what was written, or can't get it in time.
func (r *Replica[E, S]) await(ctx context.Context, key string, revision int64) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if _, err := r.Wait(ctx, revision-1); err != nil {
		// The write is done; an error would say otherwise.
		r.Logger.WarnContext(ctx, "a change is written, but this node has not seen it yet", "key", key, "error", err)
	}
}

// get returns a key as etcd has it.
func (r *Replica[E, S]) get(ctx context.Context, key string, options ...clientv3.OpOption) (*mvccpb.KeyValue, error) {
	got, err := call(ctx, r.Errors.Unavailable, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.Client.Get(ctx, key, options...)
	})
	if err != nil {
		return nil, err
	}
	if len(got.Kvs) == 0 {
		return nil, r.fail(r.Errors.NotFound, key)
	}
	return got.Kvs[0], nil
}

// fail says which key an error is about.
func (r *Replica[E, S]) fail(err error, key string) error {
	name, _ := r.Name(key)
	return fmt.Errorf("%w: %s", err, name)
}

// call bounds a call to etcd. Whatever etcd fails with is unavailable: our requests themselves are sound.
func call[T any](ctx context.Context, unavailable error, do func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	result, err := do(bounded)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, ctx.Err()
	default:
		return result, fmt.Errorf("%w: %w", unavailable, err)
	}
}
