package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	// restartsEnv says how often each node is restarted in turn, if not defaultRestarts times.
	restartsEnv     = "SUSUL_TEST_RESTARTS"
	defaultRestarts = 1

	// drillsEnv says how many nodes are killed or frozen, one round after the other, if not defaultDrills; drillSeedEnv which.
	drillsEnv     = "SUSUL_TEST_DRILLS"
	defaultDrills = 3
	drillSeedEnv  = "SUSUL_TEST_DRILL_SEED"

	// drillStep is when a push is followed up.
	drillStep = 3 * time.Second

	// longestFreeze is longer than a lease lasts.
	longestFreeze = leaseTTL + 2*time.Second

	// drillCall bounds the calls of users who make them again.
	drillCall = 4 * time.Second

	roundPause = 500 * time.Millisecond
	watchPause = 5 * time.Millisecond
)

// Nobody notices that three nodes are replaced one after the other: each call is answered, nothing is lost, nothing is sent twice.
func TestARollingRestartFailsNoCall(t *testing.T) {
	for _, k := range keepings() {
		t.Run(k.name, func(t *testing.T) { rollingRestart(t, k) })
	}
}

func rollingRestart(t *testing.T, k keeping) {
	t.Helper()
	rounds := fromEnvironment(t, restartsEnv, defaultRestarts)
	users := newTraffic(rand.New(rand.NewPCG(8, 1)))
	lab := startSandbox(t, append(remembering(), "--quota=1000000")...)
	log := newSendLog(lab)
	users.fleet = startFleet(t, k, lab.behind(t, users.witness))
	f := users.fleet
	createFollowUp(t, f.members[0], drillStep)
	stopPushing, stop := users.run(t)
	for range rounds {
		for i := range f.members {
			<-time.After(roundPause)
			led := f.leader(t, f.all()...) == i
			leaving, began := f.members[i], time.Now()
			require.NoError(t, leaving.cmd.Process.Signal(syscall.SIGTERM))
			if led {
				t.Logf("SIGTERM to the leader: another one works after %s", f.awaitSuccessor(t, i, began))
			}
			require.Equal(t, 0, leaving.exitCode(t, patience))
			t.Logf("node %d stopped after %s", i, time.Since(began))
			f.restart(t, i)
			f.awaitReady(t)
			log.read(t)
		}
	}
	stopPushing()
	followedUp := users.settle(t)
	stop()
	require.Empty(t, users.failures)
	users.check(t, log, followedUp)
}

// awaitSuccessor waits until another node leads, and returns how long that took.
func (f *fleet) awaitSuccessor(t *testing.T, left int, began time.Time) time.Duration {
	t.Helper()
	for tooLate := began.Add(patience); f.leader(t, f.others(left)...) < 0; <-time.After(watchPause) {
		require.True(t, time.Now().Before(tooLate), "nobody leads")
	}
	return time.Since(began)
}

// Whatever becomes of the nodes, each step reaches a device once, those who clicked in time get none, and what was acknowledged stays.
func TestKilledAndFrozenNodesLoseNothing(t *testing.T) {
	for _, k := range keepings() {
		t.Run(k.name, func(t *testing.T) { killAndFreeze(t, k) })
	}
}

func killAndFreeze(t *testing.T, k keeping) {
	t.Helper()
	rounds, seed := fromEnvironment(t, drillsEnv, defaultDrills), fromEnvironment(t, drillSeedEnv, 1)
	t.Logf("%s=%d", drillSeedEnv, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 8))
	users := newTraffic(rand.New(rand.NewPCG(uint64(seed), 9)))
	users.repeats, users.within = true, drillCall
	lab := startSandbox(t, append(remembering(), "--quota=1000000")...)
	log := newSendLog(lab)
	users.fleet = startFleet(t, k, lab.behind(t, users.witness))
	f := users.fleet
	createFollowUp(t, f.members[0], drillStep)
	stopPushing, stop := users.run(t)
	for round := range rounds {
		<-time.After(time.Duration(random.Int64N(int64(2 * roundPause))))
		h := drawHarm(random)
		led := f.leader(t, f.all()...) == h.node
		over := f.harm(t, h)
		if led {
			t.Logf("round %d: %s, who led: another one answered after %s", round, h, f.awaitAnswer(t, h.node))
		} else {
			t.Logf("round %d: %s", round, h)
		}
		<-over
		if h.freeze == 0 {
			f.restart(t, h.node)
		}
		f.awaitReady(t)
		log.read(t)
	}
	stopPushing()
	followedUp := users.settle(t)
	stop()
	require.Empty(t, users.failures)
	users.check(t, log, followedUp)
}

// harm is what is done to a node: it is killed, or frozen for a while.
type harm struct {
	node   int
	freeze time.Duration // 0 kills it
}

func (h harm) String() string {
	if h.freeze == 0 {
		return fmt.Sprintf("SIGKILL to node %d", h.node)
	}
	return fmt.Sprintf("SIGSTOP to node %d for %s", h.node, h.freeze.Round(time.Millisecond))
}

// drawHarm draws a node and what is done to it. Half of those that are frozen are frozen for longer than the lease lasts.
func drawHarm(random *rand.Rand) harm {
	h := harm{node: random.IntN(fleetSize)}
	switch random.IntN(4) {
	case 0:
		h.freeze = time.Duration(1 + random.Int64N(int64(leaseTTL)))
	case 1:
		h.freeze = leaseTTL + time.Duration(random.Int64N(int64(longestFreeze-leaseTTL)))
	}
	return h
}

// harm harms a node. What it returns is closed when the node is gone, or goes on.
func (f *fleet) harm(t *testing.T, h harm) (over <-chan struct{}) {
	t.Helper()
	n := f.members[h.node]
	if h.freeze == 0 {
		n.kill()
		return n.exited
	}
	require.NoError(t, n.cmd.Process.Signal(syscall.SIGSTOP))
	thawed := make(chan struct{})
	time.AfterFunc(h.freeze, func() {
		_ = n.cmd.Process.Signal(syscall.SIGCONT) // it is there: nobody else ends it
		close(thawed)
	})
	return thawed
}

// awaitAnswer waits until a call through another node is answered, and returns how long that took.
func (f *fleet) awaitAnswer(t *testing.T, harmed int) time.Duration {
	t.Helper()
	began := time.Now()
	through := f.members[f.others(harmed)[0]]
	for tooLate := began.Add(patience); ; <-time.After(watchPause) {
		ctx, cancel := context.WithTimeout(t.Context(), drillCall)
		_, err := through.pushes.ListPushes(ctx, &susulv1.ListPushesRequest{Parent: "apps/" + testApp})
		cancel()
		if err == nil {
			return time.Since(began)
		}
		require.True(t, time.Now().Before(tooLate), "no call is answered: %v", err)
	}
}
