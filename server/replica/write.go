package replica

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// opTimeout bounds each call to etcd, in real time.
	opTimeout = 3 * time.Second
	// maxAttempts bounds the compare-and-set loop of an update that accepts any revision.
	maxAttempts = 32
)

// Writes return when this node's snapshot has the change, or can't get it within 3 s. The keys must be ours.

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
		return r.Client.Put(ctx, key, string(value))
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
	result, err := call(ctx, r.Errors.Unavailable, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return r.Client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).Then(op).Commit()
	})
	if err != nil || !result.Succeeded {
		return 0, false, err
	}
	written = result.Header.GetRevision()
	r.await(ctx, key, written)
	return written, true, nil
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
