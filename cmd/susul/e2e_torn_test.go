package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	tornPeople = 1000

	database  = "susul.db"
	log       = database + "-wal"
	logHeader = 32 // bytes; it changes when the log begins anew
)

// What a power cut leaves is what a copy of the data directory is, taken between two instructions: whatever was
// acknowledged must be in it. What was appended to the log later may be there, in part, or as garbage.
func TestCopiesOfTheDataDirectoryRecover(t *testing.T) {
	lab := startSandbox(t, obedient()...)
	dir := t.TempDir()
	n := serve(t, "--config", writeSettings(t, baseSettings(dir, lab.url)))
	n.awaitReady(t)
	to := people("torn", tornPeople)
	msgID := n.sendNews(t, "torn", to)
	n.awaitSent(t, msgID)
	batches, _ := callbackBatches(t, lab, to)

	p := startPoster(t, n, batches)
	random := rand.New(rand.NewPCG(3, 4))
	var early, late dataCopy
	for step := len(batches) / 10; ; {
		early = n.copyFrozen(t, dir, p, step)
		late = n.copyFrozen(t, dir, p, step)
		if early.continuedBy(t, late) {
			break
		}
	}
	moving := n.copyMoving(t, dir, p, late)
	n.crash()
	p.posts.Wait()
	logs := tornLogs(t, random, early, late)
	require.NotEmpty(t, early.acknowledged)
	require.Greater(t, len(late.acknowledged), len(early.acknowledged))

	t.Run("between two instructions", func(t *testing.T) { late.requireRecovery(t, lab, msgID, to) })
	t.Run("file by file", func(t *testing.T) { moving.requireRecovery(t, lab, msgID, to) })
	for name, log := range logs {
		t.Run(name, func(t *testing.T) { early.withLog(t, log).requireRecovery(t, lab, msgID, to) })
	}
}

// poster reports batches until there are none left or its node is gone.
type poster struct {
	posts sync.WaitGroup

	mu           sync.Mutex
	acknowledged []callbackBatch
	grown        chan struct{} // closed by the next acknowledgement
}

func startPoster(t *testing.T, n *node, batches []callbackBatch) *poster {
	t.Helper()
	p := &poster{grown: make(chan struct{})}
	queue := make(chan callbackBatch, len(batches))
	for _, batch := range batches {
		queue <- batch
	}
	close(queue)
	for range reporters {
		p.posts.Go(func() {
			for batch := range queue {
				if got, err := n.postCallbacks(batch); err != nil || got.status != http.StatusOK {
					return
				}
				p.add(batch)
			}
		})
	}
	return p
}

func (p *poster) add(batch callbackBatch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acknowledged = append(p.acknowledged, batch)
	close(p.grown)
	p.grown = make(chan struct{})
}

func (p *poster) look() (acknowledged []callbackBatch, grown <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clip(p.acknowledged), p.grown
}

// awaitMore waits for so many more acknowledgements.
func (p *poster) awaitMore(t *testing.T, count int) {
	t.Helper()
	before, grown := p.look()
	for now := before; len(now) < len(before)+count; now, grown = p.look() {
		select {
		case <-grown:
		case <-t.Context().Done():
			require.Fail(t, "callbacks ran out before the test had its copies")
		}
	}
}

// dataCopy is a copy of a data directory, and what had been acknowledged when it was taken.
type dataCopy struct {
	dir          string
	acknowledged []callbackBatch
}

// copyFrozen stops the node between two instructions, after so many more acknowledgements, and copies its directory.
func (n *node) copyFrozen(t *testing.T, dir string, p *poster, after int) dataCopy {
	t.Helper()
	p.awaitMore(t, after)
	require.NoError(t, n.cmd.Process.Signal(syscall.SIGSTOP))
	eventually(t, "the process stands still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
		require.NoError(t, err)
		return bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T "))
	})
	c := dataCopy{dir: t.TempDir()}
	c.acknowledged, _ = p.look()
	require.NoError(t, os.CopyFS(c.dir, os.DirFS(dir)))
	require.NoError(t, n.cmd.Process.Signal(syscall.SIGCONT))
	return c
}

func (c dataCopy) path(file string) string { return filepath.Join(c.dir, file) }

func (c dataCopy) read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(c.path(file))
	require.NoError(t, err)
	return content
}

// continuedBy reports whether the later copy differs by what was appended to the log, and by nothing else.
func (c dataCopy) continuedBy(t *testing.T, later dataCopy) bool {
	t.Helper()
	return bytes.Equal(c.read(t, database), later.read(t, database)) &&
		bytes.Equal(c.read(t, log)[:logHeader], later.read(t, log)[:logHeader])
}

// copyMoving copies the database file by file while the node writes to it. That is a copy if the database and the log's
// header stay as they are meanwhile; what else is in the directory comes from another copy.
func (n *node) copyMoving(t *testing.T, dir string, p *poster, rest dataCopy) (c dataCopy) {
	t.Helper()
	eventually(t, "no checkpoint comes in between", func() bool {
		c = dataCopy{dir: t.TempDir()}
		c.acknowledged, _ = p.look()
		require.NoError(t, os.CopyFS(c.dir, os.DirFS(rest.dir)))
		source := dataCopy{dir: dir}
		for _, file := range []string{database, log} {
			require.NoError(t, os.WriteFile(c.path(file), source.read(t, file), 0o600))
		}
		return c.continuedBy(t, source)
	})
	return c
}

// tornLogs are what can be found of the later copy's log if the power goes while it grows out of the earlier one's: cut
// off anywhere in between, or with garbage from there on.
func tornLogs(t *testing.T, random *rand.Rand, early, late dataCopy) map[string][]byte {
	t.Helper()
	before, after := early.read(t, log), late.read(t, log)
	same := 0
	for same < min(len(before), len(after)) && before[same] == after[same] {
		same++
	}
	require.Greater(t, len(after), same)
	torn := func(damage func(tail []byte) []byte) []byte {
		at := same + random.IntN(len(after)-same)
		return append(slices.Clone(after[:at]), damage(slices.Clone(after[at:]))...)
	}
	return map[string][]byte{
		"cut off":             torn(func([]byte) []byte { return nil }),
		"nothing more":        after[:same],
		"zeros":               torn(func(tail []byte) []byte { return make([]byte, len(tail)) }),
		"one bit is wrong":    torn(func(tail []byte) []byte { tail[0] ^= 1; return tail }),
		"garbage to the end":  torn(func(tail []byte) []byte { return noise(random, tail) }),
		"garbage in a sector": torn(func(tail []byte) []byte { noise(random, tail[:min(len(tail), 512)]); return tail }),
	}
}

func noise(random *rand.Rand, into []byte) []byte {
	for i := range into {
		into[i] = byte(random.Uint32())
	}
	return into
}

// withLog is the same copy with another log.
func (c dataCopy) withLog(t *testing.T, content []byte) dataCopy {
	t.Helper()
	changed := dataCopy{dir: t.TempDir(), acknowledged: c.acknowledged}
	require.NoError(t, os.CopyFS(changed.dir, os.DirFS(c.dir)))
	require.NoError(t, os.WriteFile(changed.path(log), content, 0o600))
	return changed
}

// requireRecovery starts a node on the copy: it has everything that was acknowledged, and its counts agree.
func (c dataCopy) requireRecovery(t *testing.T, lab *engageLab, msgID string, to []string) {
	t.Helper()
	n := serve(t, "--config", writeSettings(t, baseSettings(c.dir, lab.url)))
	n.awaitReady(t)
	requireEventsOnce(t, n.events(t, msgID), c.acknowledged)
	n.requireRecount(t, msgID, to)
	n.terminate(t, patience)
}
