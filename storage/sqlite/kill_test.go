package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// childEnv names the database that a re-executed test binary records into.
const childEnv = "SUSUL_TEST_RECORD_INTO"

const killRecipients = 5000

// recordIfChild records batches for ever, from several goroutines, and prints each row once it was acknowledged.
func recordIfChild() {
	path := os.Getenv(childEnv)
	if path == "" {
		return
	}
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		panic(err)
	}
	for range 4 {
		go func() {
			for {
				var rows []storage.Callback
				var line strings.Builder
				for range 20 {
					i, m := rand.IntN(killRecipients), storage.Milestone(1+rand.IntN(5))
					rows = append(rows, storage.Callback{UpstreamID: upstreamID(1 + i/1000), RegistrationID: benchID(i),
						Milestone: m, Status: m.String(), Time: time.Now()})
					fmt.Fprintf(&line, "%s %s\n", benchID(i), m)
				}
				if _, err := s.RecordCallbacks(context.Background(), benchApp, time.Now(), rows); err != nil {
					panic(err)
				}
				// So few bytes go into a pipe all or not at all, also when the process is killed.
				_, _ = os.Stdout.WriteString(line.String())
			}
		}()
	}
	select {}
}

// TestKillLosesNothing kills a process that records, several times, and checks that everything acknowledged is there
// once, and that counters and progress agree with the log.
func TestKillLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	s := open(t, path)
	createListed(t, s, 1, killRecipients)
	sendAll(t, s)
	require.NoError(t, s.Close())

	acknowledged := map[string]bool{}
	for range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		// The child dies after some number of lines, wherever its writer is then.
		lines, until := bufio.NewScanner(out), 200+rand.IntN(4000)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n == until {
				require.NoError(t, child.Process.Kill())
			}
		}
		require.Error(t, child.Wait(), "it was killed")

		s := open(t, path)
		checkLog(t, s, acknowledged)
		require.NoError(t, s.Close())
	}
	require.Greater(t, len(acknowledged), 1000)
}

func checkLog(t *testing.T, s *Store, acknowledged map[string]bool) {
	t.Helper()
	stored := map[string]bool{}
	progress := map[string]storage.Progress{}
	for q := (storage.EventQuery{}); ; {
		events, err := s.ListEvents(t.Context(), q)
		require.NoError(t, err)
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			key := e.RegistrationID + " " + e.Status
			require.False(t, stored[key], "%s is there twice", key)
			stored[key] = true
			progress[e.RegistrationID] = progress[e.RegistrationID].With(e.Step, e.Milestone)
		}
		q.After = events[len(events)-1].Sequence
	}
	for key := range acknowledged {
		require.True(t, stored[key], "%s was acknowledged", key)
	}
	clicked := 0
	for _, p := range progress {
		if p.InAnyStep().Has(storage.Clicked) {
			clicked++
		}
	}
	report, err := s.Report(t.Context(), benchApp, 1)
	require.NoError(t, err)
	require.Equal(t, clicked, report.Total.Clicked)
	recipients, err := s.ScanRecipients(t.Context(), 1, 0, storage.MaxPage)
	require.NoError(t, err)
	for _, r := range recipients {
		require.Equal(t, progress[r.RegistrationID], r.Progress)
	}
}
