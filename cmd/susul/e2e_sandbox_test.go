package main

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"susul.dev/susul/server/engagelab/sandbox"
)

// engageLab is a process of susul sandbox, and a look into its devices.
type engageLab struct {
	*process
	url string
	web *http.Client
}

// startSandbox starts a sandbox that knows the app.
func startSandbox(t *testing.T, args ...string) *engageLab {
	t.Helper()
	args = append([]string{"sandbox", "--listen", "127.0.0.1:0", "--app", testApp + ":" + testSecret}, args...)
	e := &engageLab{process: launch(t, nil, args...), web: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	e.url = "http://" + e.await(t, `msg="sandbox is listening" address=(\S+)`)[0]
	t.Cleanup(e.web.CloseIdleConnections)
	return e
}

// obedient are the flags of a sandbox whose devices all receive at once and do nothing.
func obedient() []string {
	return []string{"--speed=100", "--dead=0", "--offline=0", "--deliver-within=1ms", "--display-rate=0"}
}

// remembering are likewise, but for three minutes, an hour of the sandbox's own, it knows a request that is repeated: that is longer
// than the claim of a node that was killed lasts.
func remembering() []string {
	return append([]string{"--speed=20"}, obedient()[1:]...)
}

// get reads one of the sandbox's own pages; ok is false if it has none there.
func (e *engageLab) get(path string, into any) (ok bool, err error) {
	got, err := e.web.Get(e.url + path)
	if err != nil {
		return false, err
	}
	defer got.Body.Close()
	if got.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return true, json.NewDecoder(got.Body).Decode(into)
}

// devices tells what reached each of the devices, in their order.
func (e *engageLab) devices(t *testing.T, ids []string) []sandbox.Device {
	t.Helper()
	seen := make([]sandbox.Device, len(ids))
	var group errgroup.Group
	group.SetLimit(8)
	for i, id := range ids {
		group.Go(func() error {
			_, err := e.get("/sandbox/devices/"+id, &seen[i])
			return err
		})
	}
	require.NoError(t, group.Wait())
	return seen
}

// awaitDevices waits until each of the devices has so many messages, and tells what reached it.
func (e *engageLab) awaitDevices(t *testing.T, ids []string, count int) (seen []sandbox.Device) {
	t.Helper()
	eventually(t, "every device has its messages", func() bool {
		seen = e.devices(t, ids)
		return !slices.ContainsFunc(seen, func(d sandbox.Device) bool { return len(d.Messages) < count })
	})
	return seen
}

// requests returns every request that the sandbox remembers, in their order.
func (e *engageLab) requests(t *testing.T) (all []sandbox.Request) {
	t.Helper()
	return e.requestsAfter(t, 0)
}

// requestsAfter returns those that came after one.
func (e *engageLab) requestsAfter(t *testing.T, after int64) (all []sandbox.Request) {
	t.Helper()
	for {
		var page struct {
			Requests []sandbox.Request `json:"requests"`
			Next     int64             `json:"next"`
		}
		_, err := e.get("/sandbox/requests?limit=1000&after="+strconv.FormatInt(after, 10), &page)
		require.NoError(t, err)
		if len(page.Requests) == 0 {
			return all
		}
		after = page.Next
		all = append(all, page.Requests...)
	}
}

// sendLog is what a sandbox took. A repeated request must name whom its first named, and nobody may get a step with two cids.
type sendLog struct {
	lab   *engageLab
	last  int64               // request that was read
	steps []map[string]string // the cid with which each recipient got it
	named map[string][]string // by cid
}

func newSendLog(lab *engageLab) *sendLog {
	return &sendLog{lab: lab, steps: []map[string]string{{}, {}}, named: map[string][]string{}}
}

// read reads what was taken since it was called last: the sandbox remembers 10,000 requests.
func (l *sendLog) read(t *testing.T) {
	t.Helper()
	for _, r := range l.lab.requestsAfter(t, l.last) {
		require.Equal(t, l.last+1, r.Seq, "the sandbox has forgotten requests")
		l.last = r.Seq
		var request sending
		if r.Method != http.MethodPost || json.Unmarshal(r.Document, &request) != nil {
			continue
		}
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Path)
		for cid, recipients := range request.recipients() {
			if first, again := l.named[cid]; again {
				require.Equal(t, first, recipients, "%s was repeated otherwise", cid)
				continue
			}
			l.named[cid] = recipients
			step := l.steps[stepIn(cid)]
			for _, id := range recipients {
				other, again := step[id]
				require.False(t, again, "%s got a step with %s and with %s", id, other, cid)
				step[id] = cid
			}
		}
	}
}

// cids returns the cid of every push request that arrived, in their order; a repetition is there again.
func (e *engageLab) cids(t *testing.T) (cids []string) {
	t.Helper()
	for _, request := range e.requests(t) {
		var document struct {
			Body withOptions `json:"body"`
		}
		require.NoError(t, json.Unmarshal(request.Document, &document))
		cids = append(cids, document.Body.Options.CID)
	}
	return cids
}

// stepOf reads the step out of a message's cid, which is msg_id-step-chunk.
func stepOf(t *testing.T, msgID, cid string) int {
	t.Helper()
	rest, found := strings.CutPrefix(cid, msgID+"-")
	require.True(t, found, "cid %s is not of push %s", cid, msgID)
	text, _, found := strings.Cut(rest, "-")
	require.True(t, found)
	step, err := strconv.Atoi(text)
	require.NoError(t, err)
	return step
}

// messages returns what a device got of a push, by step, and requires that each step came once.
func messages(t *testing.T, d sandbox.Device, msgID string) map[int]sandbox.DeviceMessage {
	t.Helper()
	byStep := map[int]sandbox.DeviceMessage{}
	for _, m := range d.Messages {
		step := stepOf(t, msgID, m.CID)
		require.NotContains(t, byStep, step, "device %s got step %d twice", d.RegistrationID, step)
		byStep[step] = m
	}
	return byStep
}

// behind puts a stage in front of the sandbox, for tests that hold up or lose what EngageLab answers, and returns its URL.
func (e *engageLab) behind(t *testing.T, stage func(next http.Handler) http.Handler) string {
	t.Helper()
	target, err := url.Parse(e.url)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	front := httptest.NewServer(stage(&httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // that a client was killed is no news
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// freeAddress returns an address that nobody else will take: connections and port 0 use 127.0.0.1.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.9:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
