package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A lease is renewed so many times within its time, and at least so often, in real time: an answer that got lost is not missed for long.
const (
	renewals   = 8
	maxRenewal = time.Second
)

// lease is a node's. It is renewed by calls of their own, and not over one stream as the client's: the member that has the stream
// may freeze for longer than the lease lasts.
type lease struct {
	clientv3.Lease
	id     clientv3.LeaseID
	ttl    time.Duration
	since  time.Time
	clock  clockwork.Clock
	mu     sync.Mutex
	until  time.Time     // the lease can be trusted until then
	gained chan struct{} // closed and replaced with every renewal
	lost   bool
}

var _ clientv3.Lease = (*lease)(nil)

// grant asks etcd for a lease.
func grant(ctx context.Context, client *clientv3.Client, ttl time.Duration, clock clockwork.Clock) (*lease, error) {
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	asked := clock.Now()
	granted, err := client.Grant(ctx, int64(ttl/time.Second))
	if err != nil {
		return nil, fmt.Errorf("grant lease: %w", err)
	}
	ttl = time.Duration(granted.TTL) * time.Second // etcd may give more than it was asked for
	return &lease{
		Lease: client.Lease, id: granted.ID, ttl: ttl, clock: clock, since: asked, until: asked.Add(ttl), gained: make(chan struct{}),
	}, nil
}

// trusted returns until when the lease can be trusted, and a channel that is closed when that changes; lost if it is gone.
func (l *lease) trusted() (until time.Time, changed <-chan struct{}, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until, l.gained, l.lost
}

// renew asks etcd for the lease's full time, which counts from before the question, since etcd may have counted from then.
func (l *lease) renew(ctx context.Context) error {
	asked := l.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, renewals*l.interval())
	defer cancel()
	renewed, err := l.KeepAliveOnce(ctx, l.id)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		l.lost = true
		if now := l.clock.Now(); now.Before(l.until) {
			l.until = now
		}
		err = fmt.Errorf("renew lease: %w", ErrLost)
	case err != nil:
		return fmt.Errorf("renew lease: %w", err)
	default:
		until := asked.Add(time.Duration(renewed.TTL) * time.Second)
		if !until.After(l.until) { // the answer to a later question came first
			return nil
		}
		l.until = until
	}
	close(l.gained)
	l.gained = make(chan struct{})
	return err
}

func (l *lease) interval() time.Duration { return min(l.ttl/renewals, maxRenewal) }

// KeepAlive renews the lease until the context ends or the lease is lost, and closes the channel then. It asks whether or not its last
// question was answered: whom it asked may be frozen, and the next question goes to another member.
func (l *lease) KeepAlive(ctx context.Context, _ clientv3.LeaseID) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	ended := make(chan *clientv3.LeaseKeepAliveResponse)
	go func() {
		defer close(ended)
		ctx, cancel := context.WithCancel(ctx)
		var asked sync.WaitGroup // at most as many as renewals, by their timeout
		defer asked.Wait()
		defer cancel()
		tick := l.clock.NewTicker(l.interval())
		defer tick.Stop()
		for {
			asked.Go(func() {
				if errors.Is(l.renew(ctx), ErrLost) {
					cancel()
				}
			})
			select {
			case <-tick.Chan():
			case <-ctx.Done():
				return
			}
		}
	}()
	return ended, nil
}

// confirm returns when a question that is asked now has been answered.
func (l *lease) confirm(ctx context.Context) error {
	asked := l.clock.Now()
	asking, cancel := context.WithCancel(ctx)
	var question sync.WaitGroup // a first one, which may be lost
	defer question.Wait()
	defer cancel()
	question.Go(func() { _ = l.renew(asking) }) // shows in what can be trusted
	for {
		until, changed, lost := l.trusted()
		switch {
		case lost:
			return fmt.Errorf("confirm lease: %w", ErrLost)
		case !until.Before(asked.Add(l.ttl)):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("confirm lease: %w", context.Cause(ctx))
		}
	}
}

// guard calls doubt when the lease can be trusted no more. It returns then, or when the context ends.
func (l *lease) guard(ctx context.Context, doubt func(error)) {
	for {
		until, changed, lost := l.trusted()
		switch {
		case lost:
			doubt(ErrLost)
			return
		case !l.clock.Now().Before(until):
			doubt(ErrDoubt)
			return
		}
		select {
		case <-changed:
		case <-l.clock.After(l.clock.Until(until)):
		case <-ctx.Done():
			return
		}
	}
}
