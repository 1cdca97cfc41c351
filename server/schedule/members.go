package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jonboulle/clockwork"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	membersPrefix = "/susul/nodes/"

	defaultMembersTTL = 10 * time.Second
)

var errUnregistered = errors.New("this node's entry is gone")

// MembersOptions are what Members need.
type MembersOptions struct {
	Client *clientv3.Client
	// Prefix is where the nodes' keys are; empty means /susul/nodes/.
	Prefix string
	// ID names this node: no two that run have the same. Value is what others may read of it.
	ID, Value string
	// Changed is told each number of nodes that differs from the one before, by Run's goroutine. The first is told before Counted is
	// closed.
	Changed func(nodes int)
	// TTL is how long a node that vanished is counted still, in whole seconds; 0 means 10 s.
	TTL    time.Duration
	Logger *slog.Logger
}

// Members counts the nodes that work, so that each can take its share of what all have together.
type Members struct {
	MembersOptions
	clock   clockwork.Clock // the real one, as for elections
	nodes   atomic.Int64
	counted chan struct{} // closed when the nodes were counted for the first time
}

// NewMembers returns Members that are not counted yet.
func NewMembers(o MembersOptions) *Members {
	if o.Prefix == "" {
		o.Prefix = membersPrefix
	}
	if o.TTL <= 0 {
		o.TTL = defaultMembersTTL
	}
	return &Members{MembersOptions: o, clock: clockwork.NewRealClock(), counted: make(chan struct{})}
}

// Nodes is how many nodes there are, as far as is known: while etcd can't be reached, the last number. It is at least 1.
func (m *Members) Nodes() int { return max(int(m.nodes.Load()), 1) }

// Counted is closed when the nodes have been counted for the first time.
func (m *Members) Counted() <-chan struct{} { return m.counted }

// Run has this node counted, and counts all, until the context ends. It may be called once.
func (m *Members) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minBackoff, maxBackoff
	for {
		began := m.clock.Now()
		err := m.register(ctx)
		if ctx.Err() != nil {
			return nil
		}
		m.Logger.WarnContext(ctx, "the nodes can't be counted now; their last number counts", "nodes", m.Nodes(), "error", err)
		if m.clock.Since(began) > m.TTL {
			pause.Reset()
		}
		select {
		case <-m.clock.After(pause.NextBackOff()):
		case <-ctx.Done():
			return nil
		}
	}
}

// register keeps this node's entry, and counts, until something fails or the context ends. The entry goes with it.
func (m *Members) register(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lease, err := grant(ctx, m.Client, m.TTL, m.clock)
	if err != nil {
		return err
	}
	defer m.leave(ctx, lease.id)
	putting, put := context.WithTimeout(ctx, m.TTL)
	defer put()
	if _, err := m.Client.Put(putting, m.Prefix+m.ID, m.Value, clientv3.WithLease(lease.id)); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	kept, err := lease.KeepAlive(ctx, lease.id)
	if err != nil {
		return fmt.Errorf("keep lease alive: %w", err)
	}
	failed := make(chan error, 1)
	var counting sync.WaitGroup
	counting.Go(func() { failed <- m.count(ctx) })
	defer func() {
		cancel()
		counting.Wait()
		<-kept
	}()
	for {
		select {
		case _, alive := <-kept:
			if !alive {
				return errUnregistered
			}
		case err := <-failed:
			return err
		}
	}
}

// count follows how many nodes there are. This node's own entry must be among them.
func (m *Members) count(ctx context.Context) error {
	listed, err := m.Client.Get(ctx, m.Prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	nodes := make(map[string]bool, len(listed.Kvs))
	for _, kv := range listed.Kvs {
		nodes[string(kv.Key)] = true
	}
	m.tell(ctx, len(nodes))
	ctx, cancel := context.WithCancel(ctx)
	watches := &watcher{Watcher: m.Client.Watcher, name: "nodes", clock: m.clock}
	defer watches.open.Wait()
	defer cancel()
	for changes := range watches.Watch(ctx, m.Prefix, clientv3.WithPrefix(), clientv3.WithRev(listed.Header.Revision+1)) {
		if err := changes.Err(); err != nil {
			return fmt.Errorf("watch nodes: %w", err)
		}
		for _, change := range changes.Events {
			if key := string(change.Kv.Key); change.Type == clientv3.EventTypeDelete {
				delete(nodes, key)
			} else {
				nodes[key] = true
			}
		}
		if !nodes[m.Prefix+m.ID] {
			return errUnregistered
		}
		m.tell(ctx, len(nodes))
	}
	return fmt.Errorf("watch nodes: %w", context.Cause(ctx))
}

func (m *Members) tell(ctx context.Context, nodes int) {
	nodes = max(nodes, 1)
	if before := m.nodes.Swap(int64(nodes)); before != int64(nodes) {
		m.Logger.InfoContext(ctx, "nodes counted", "nodes", nodes, "before", before)
		m.Changed(nodes)
	}
	select {
	case <-m.counted:
	default:
		close(m.counted)
	}
}

// leave takes this node's entry away. It happens also when the context has ended.
func (m *Members) leave(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(releaseTimeout, m.TTL))
	defer cancel()
	if _, err := m.Client.Revoke(ctx, lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		m.Logger.WarnContext(ctx, "this node is counted until its lease lapses", "error", err)
	}
}
