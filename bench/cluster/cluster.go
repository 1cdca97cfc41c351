package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
)

// arrangement is a storage with a number of nodes.
type arrangement struct {
	name     string
	postgres bool
	nodes    int
}

func arrangements() []arrangement {
	return []arrangement{
		{"sqlite-1", false, 1},
		{"sqlite-3", false, 3},
		{"postgres-1", true, 1},
		{"postgres-3", true, 3},
	}
}

// roleTimeout bounds the wait for a leader.
const roleTimeout = 30 * time.Second

// cluster is an arrangement that runs.
type cluster struct {
	*bench
	arrangement
	home    rig.Home
	members []*rig.Susul // by their numbers, which are their names
}

// start starts the nodes, one after the other, each on the etcd of the bench with a storage of its own.
func (b *bench) start(ctx context.Context, a arrangement) (c *cluster, stop func() error, err error) {
	c = &cluster{bench: b, arrangement: a}
	o := rig.HomeOptions{Etcd: b.etcdAddress}
	var database string
	if a.postgres {
		if database, err = b.database.Create(ctx, ""); err != nil {
			return nil, nil, err
		}
		o.Postgres = b.database.DSN(database)
	}
	if c.home, err = b.NewHome(o); err != nil {
		return nil, nil, err
	}
	stop = func() (err error) {
		for _, s := range slices.Backward(c.members) {
			err = errors.Join(err, s.Stop())
		}
		if database != "" {
			err = errors.Join(err, b.database.Drop(context.WithoutCancel(ctx), database))
		}
		return errors.Join(err, os.RemoveAll(c.home.Dir))
	}
	for i := range a.nodes {
		s, err := c.home.Start(ctx, strconv.Itoa(i))
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		c.members = append(c.members, s)
	}
	return c, stop, nil
}

// addresses are where the nodes take REST calls.
func (c *cluster) addresses() (all []string) {
	for _, s := range c.members {
		all = append(all, s.HTTP)
	}
	return all
}

// leader returns the number of the node that leads, once there is one.
func (c *cluster) leader(ctx context.Context) (leader int, err error) {
	ctx, cancel := context.WithTimeout(ctx, roleTimeout)
	defer cancel()
	err = rig.Poll(ctx, func() (bool, error) {
		leader = slices.IndexFunc(c.members, func(s *rig.Susul) bool { return leads(ctx, s) })
		return leader >= 0, nil
	})
	if err != nil {
		return 0, fmt.Errorf("no node leads: %w", err)
	}
	return leader, nil
}

// leads reports whether a node says that it leads.
func leads(ctx context.Context, s *rig.Susul) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Ops+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer got.Body.Close()
	var answer struct{ Role string }
	return json.NewDecoder(got.Body).Decode(&answer) == nil && answer.Role == "leader"
}

// parts are what shares the machine: the nodes, and then the others in the order of costs.
func (c *cluster) parts() (all []load.Measured) {
	for _, s := range c.members {
		all = append(all, s)
	}
	all = append(all, rig.Machine{}, c.etcd, rig.Own{})
	if c.postgres {
		all = append(all, rig.Tree{PID: c.database.PID()})
	}
	return all
}

// costs are the CPU, in µs for each row or push, of all that took part.
type costs struct {
	Nodes     []float64 `json:"node_cpu_us"` // the one that leads first
	Postgres  float64   `json:"postgres_cpu_us,omitempty"`
	Etcd      float64   `json:"etcd_cpu_us"`
	EngageLab float64   `json:"engagelab_cpu_us"`
	Load      float64   `json:"load_cpu_us"`
	// Busy is the share of the processors' time in which they were not idle.
	Busy float64 `json:"busy"`
	// Foreign is that share of it which none of the parts had: if it is not about 0, something else ran, and speeds say little.
	Foreign float64 `json:"busy_with_others"`
	// PeakRSS is the nodes' together, in megabytes.
	PeakRSS float64 `json:"peak_rss_mb"`
}

// sum is what the nodes and the storage take together.
func (c costs) sum() (us float64) {
	for _, node := range c.Nodes {
		us += node
	}
	return us + c.Postgres
}

func (c *cluster) costs(m load.Measurement, leader int) (k costs) {
	nodes, others := slices.Clone(m.Servers[:c.nodes]), m.Servers[c.nodes:]
	nodes[0], nodes[leader] = nodes[leader], nodes[0]
	for _, node := range nodes {
		k.Nodes = append(k.Nodes, m.PerRow(node.CPU))
		k.PeakRSS += rig.Megabytes(node.After.Peak)
	}
	k.Busy = rig.Round(others[0].CPU.Seconds()/m.Elapsed.Seconds()/float64(runtime.NumCPU()), 2)
	k.Etcd, k.EngageLab = m.PerRow(others[1].CPU), m.PerRow(others[2].CPU)
	if c.postgres {
		k.Postgres = m.PerRow(others[3].CPU)
	}
	k.Load = rig.Round(m.CPU*1e6/float64(m.Rows), 2)
	own := (k.sum() + k.Etcd + k.EngageLab + k.Load) / 1e6 * m.Speed() / float64(runtime.NumCPU())
	k.Foreign = rig.Round(max(0, k.Busy-own), 2)
	return k
}
