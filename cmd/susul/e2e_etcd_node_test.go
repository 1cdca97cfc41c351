package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/replica/etcdtest"
)

// outpost is a node with a network of its own to etcd.
type outpost struct {
	*node
	network *etcdtest.Gates
}

// pair are two nodes on one database, an etcd of three members, and an EngageLab.
type pair struct {
	etcd  *etcdtest.Cluster
	lab   *engageLab
	nodes []outpost // the first leads, at the beginning
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{etcd: etcdtest.StartCluster(t, 3), lab: startSandbox(t, obedient()...)}
	settings := baseSettings(t.TempDir(), p.lab.url)
	settings["forward"] = map[string]any{"hold": "2s"} // less than the troubles last
	config := writeSettings(t, settings)
	for i := range 2 {
		network := p.etcd.Gates()
		n := serve(t, "--config", config, "--etcd.endpoints", strings.Join(network.Endpoints(), ","))
		p.nodes = append(p.nodes, outpost{n, network})
		if i == 0 {
			n.awaitReady(t)
		}
	}
	p.nodes[1].awaitState(t, "it stands by", func(s readiness) bool { return s.Election.State == "candidate" && s.Etcd.Connected })
	return p
}

// leader returns the node that leads, once one does.
func (p *pair) leader(t *testing.T) (leader *node) {
	t.Helper()
	eventually(t, "a node leads", func() bool {
		for _, n := range p.nodes {
			if n.readiness(t).leads() {
				leader = n.node
			}
		}
		return leader != nil
	})
	return leader
}

// terminate stops both, and requires that they do so well.
func (p *pair) terminate(t *testing.T) {
	t.Helper()
	for _, n := range p.nodes {
		n.terminate(t, patience)
	}
}

// awaitState waits until the node tells what is wanted of it.
func (n *node) awaitState(t *testing.T, what string, wanted func(readiness) bool) (s readiness) {
	t.Helper()
	eventually(t, what, func() bool {
		s = n.readiness(t)
		return wanted(s)
	})
	return s
}

// metrics reads all metrics by name and labels, as they are written.
func (n *node) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	got, err := n.web.Get("http://" + n.ops + "/metrics")
	require.NoError(t, err)
	defer got.Body.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[name] = number
		}
	}
	return all
}

// Their times. A step is due when its trouble is under way.
const (
	callersPause = 150 * time.Millisecond
	callersStep  = 3 * time.Second
	callersTo    = 4 // of each push
)

// callers send pushes, and EngageLab among them reports clicks, to whichever node takes them. Each tries until it is taken.
type callers struct {
	pair *pair
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	sent    []sentNews
	refused map[string]int // how often and how they were refused
	longest time.Duration  // that one took, with its retries
	broken  error          // what should not be
}

// sentNews is a push that was acknowledged. Its first recipient has clicked.
type sentNews struct {
	msgID   string
	to      []string
	began   time.Time
	clicked time.Time // when the click was acknowledged
}

// startCallers begins with it, after the creation of a policy that follows up.
func startCallers(t *testing.T, p *pair) *callers {
	t.Helper()
	createFollowUp(t, p.nodes[0].node, callersStep)
	f := &callers{pair: p, stop: make(chan struct{}), refused: map[string]int{}}
	t.Cleanup(f.end)
	tick := time.NewTicker(callersPause)
	f.done.Go(func() {
		defer tick.Stop()
		for i := 0; ; i++ {
			f.done.Go(func() { f.one(t, i) })
			select {
			case <-tick.C:
			case <-f.stop:
				return
			}
		}
	})
	return f
}

// end lets nothing new begin, and waits for what has begun.
func (f *callers) end() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	f.done.Wait()
}

// one sends a push and reports a click.
func (f *callers) one(t *testing.T, i int) {
	t.Helper()
	news := sentNews{to: people(fmt.Sprintf("etcd%d-", i), callersTo), began: time.Now()}
	document := newsDocument(t, fmt.Sprintf("etcd-%d", i), news.to)
	pushed, err := f.taken(i, func(n *node) (answer, error) { return n.try(http.MethodPost, "/v4/push", document, nil) })
	if err != nil {
		f.fail(fmt.Errorf("push %d: %w", i, err))
		return
	}
	var got engagelab.PushResponse
	if err := json.Unmarshal([]byte(pushed.body), &got); err != nil || got.MsgID == "" {
		f.fail(fmt.Errorf("push %d: %s: %w", i, pushed.body, err))
		return
	}
	news.msgID = got.MsgID
	upstream, err := f.arrived(news.to[0])
	if err == nil {
		click := []engagelab.CallbackRow{callbackRow(upstream, news.to[0], "click")}
		_, err = f.taken(i, func(n *node) (answer, error) { return n.postCallbacks(click) })
	}
	if err != nil {
		f.fail(fmt.Errorf("click %d: %w", i, err))
		return
	}
	news.clicked = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, news)
	f.longest = max(f.longest, time.Since(news.began))
}

// arrived waits for a device's first message and returns its upstream id.
func (f *callers) arrived(device string) (string, error) {
	for tooLate := time.Now().Add(2 * patience); time.Now().Before(tooLate); <-time.After(pollPause) {
		var seen struct {
			Messages []struct {
				MsgID string `json:"msg_id"`
			} `json:"messages"`
		}
		if _, err := f.pair.lab.get("/sandbox/devices/"+device, &seen); err != nil {
			return "", err
		}
		if len(seen.Messages) > 0 {
			return seen.Messages[0].MsgID, nil
		}
	}
	return "", errors.New("nothing arrived")
}

// taken asks the nodes in turn until one takes a call. One that does not must say that it is unavailable.
func (f *callers) taken(i int, ask func(*node) (answer, error)) (answer, error) {
	tooLate := time.Now().Add(2 * patience)
	for ; ; i++ {
		got, err := ask(f.pair.nodes[i%len(f.pair.nodes)].node)
		switch {
		case err != nil:
			return got, err
		case got.status == http.StatusOK:
			return got, nil
		case got.status != http.StatusServiceUnavailable, time.Now().After(tooLate):
			return got, fmt.Errorf("status %d: %s", got.status, got.body)
		}
		f.mu.Lock()
		f.refused[got.body]++
		f.mu.Unlock()
		<-time.After(pollPause)
	}
}

func (f *callers) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = errors.Join(f.broken, err)
}

// requireOnce ends them and requires that all of it was taken, and that nobody got a step twice, or not at all.
func (f *callers) requireOnce(t *testing.T) {
	t.Helper()
	f.end()
	require.NoError(t, f.broken)
	leader := f.pair.leader(t)
	followed, late := 0, 0
	for _, news := range f.sent {
		report := leader.awaitSent(t, news.msgID)
		require.EqualValues(t, 1, report.GetTotal().GetClicked(), "an acknowledged click is lost, or counted again")
		f.pair.lab.awaitDevices(t, news.to[1:], 2) // who did not click; what EngageLab has taken is a moment on its way
		for i, d := range f.pair.lab.awaitDevices(t, news.to, 1) {
			steps := messages(t, d, news.msgID)
			require.Contains(t, steps, 0)
			require.LessOrEqual(t, len(steps), 2)
			switch {
			case i > 0:
				require.Contains(t, steps, 1, "%s did not click", d.RegistrationID)
				followed++
			case news.clicked.Sub(news.began) < callersStep:
				require.NotContains(t, steps, 1, "%s clicked before the step was due", d.RegistrationID)
			default:
				late++
			}
		}
	}
	require.Positive(t, followed)
	refusals := 0
	for _, count := range f.refused {
		refusals += count
	}
	t.Logf("%d pushes; the longest took %s; %d clicks were late; %d refusals", len(f.sent), f.longest, late, refusals)
}
