package main

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"susul.dev/susul/server/replica/etcdtest"
)

// A leader that is frozen keeps the lock of the data directory and has the database open. It is overtaken all the same; when it
// wakes it writes nothing more, and answers by the new leader.
func TestFrozenLeaderIsOvertakenAndForwardsWhenItWakes(t *testing.T) {
	t.Parallel()
	etcd := etcdtest.Start(t)
	lab := startSandbox(t, obedient()...)
	config := writeSettings(t, baseSettings(t.TempDir(), lab.url))
	candidate := func() *node { return serve(t, "--config", config, "--etcd.endpoints", etcd.Address()) }
	first := candidate()
	first.awaitReady(t)
	second := candidate()
	second.awaitStandby(t, first)

	to := people("frozen", 100)
	createFollowUp(t, first, 20*time.Second)
	msgID := second.sendNews(t, "frozen", to)
	postAll(t, second, clickRows(t, lab, to[:10]))

	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	took := second.awaitReady(t)
	t.Logf("took over from a frozen leader after %s", took)
	require.Less(t, took, 3*leaseTTL, "it does not wait for the lock of a process that does not give it up")
	postAll(t, second, clickRows(t, lab, to[10:20]))
	later := second.sendNews(t, "meanwhile", people("meanwhile", 10))

	// These wait at the frozen node until it wakes, when it does not know yet that it leads no more.
	rows := clickRows(t, lab, to[20:30])
	status := make(chan int, 4)
	for range cap(status) {
		go func() {
			got, err := first.postCallbacks(rows)
			if err != nil {
				got.status = -1
			}
			status <- got.status
		}()
	}
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
	for range cap(status) {
		require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, <-status)
	}
	first.awaitStandby(t, second)
	postAll(t, first, rows)
	require.EqualValues(t, 30, first.report(t, msgID).GetTotal().GetClicked(), "each once")
	require.True(t, proto.Equal(second.report(t, later), first.report(t, later)))

	report := first.awaitSent(t, msgID)
	require.EqualValues(t, 70, report.GetSteps()[1].GetFunnel().GetTargets())
	second.terminate(t, patience)
	t.Logf("took over from a stopped leader after %s", first.awaitReady(t))
	require.True(t, proto.Equal(report, first.report(t, msgID)), "nothing that the frozen node had in memory came back")
	requireFollowedUpOnce(t, lab, msgID, to[:30], to[30:])
	first.terminate(t, patience)
}
