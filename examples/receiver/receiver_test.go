package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
)

const (
	username = "susul"
	plain    = "a-secret-of-the-receiver"
	other    = "the-secret-of-another-one"
)

// encoded is a secret as Susul makes it up.
var encoded = "whsec_" + base64.StdEncoding.EncodeToString([]byte("32 bytes that nobody else knows."))

const document = `{"total":3,"rows":[
	{"message_id":"7","to":"a","custom_args":{"kind":"promotion"},"status":{"message_status":"click"},"susul":{"event_id":"101","step":1}},
	{"message_id":"7","to":"b","custom_args":"text","status":{"message_status":"sent"},"susul":{"event_id":"102","step":0}},
	{"message_id":"0","to":"c","status":{"message_status":"click"},"susul":{"event_id":"103","test":true}}]}`

// signed returns the headers of a request that is signed as Susul signs it.
func signed(t testing.TB, body string, at time.Time, secrets ...string) http.Header {
	t.Helper()
	timestamp := strconv.FormatInt(at.Unix(), 10)
	header := http.Header{}
	header.Set("webhook-id", "msg_1")
	header.Set("webhook-timestamp", timestamp)
	var signatures []string
	for _, secret := range secrets {
		webhook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
		if strings.HasPrefix(secret, "whsec_") {
			webhook, err = standardwebhooks.NewWebhook(secret)
		}
		require.NoError(t, err)
		signature, err := webhook.Sign("msg_1", at, []byte(body))
		require.NoError(t, err)
		signatures = append(signatures, signature)
	}
	header.Set("webhook-signature", strings.Join(signatures, " "))
	header.Set("X-CALLBACK-ID", engagelab.Signature{
		Timestamp: timestamp, Nonce: "123456789012345", Username: username,
		Signature: engagelab.Sign(secrets[0], timestamp, "123456789012345", username),
	}.Header())
	return header
}

// requests are requests to a receiver whose secret is the given one, and whether each proves that it is Susul's.
func requests(t testing.TB, secret string) map[string]struct {
	header http.Header
	body   string
	good   bool
} {
	t.Helper()
	type request = struct {
		header http.Header
		body   string
		good   bool
	}
	now := time.Now()
	changed := func(name, value string) http.Header {
		header := signed(t, document, now, secret)
		header.Set(name, value)
		return header
	}
	none := changed("webhook-id", "")
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature", "X-CALLBACK-ID"} {
		none.Del(name)
	}
	return map[string]request{
		"signed":                       {signed(t, document, now, secret), document, true},
		"signed by two, one of them":   {signed(t, document, now, secret, other), document, true},
		"another's secret":             {signed(t, document, now, other), document, false},
		"another body":                 {signed(t, document, now, secret), strings.Replace(document, `"a"`, `"x"`, 1), false},
		"old":                          {signed(t, document, now.Add(-6*time.Minute), secret), document, false},
		"of the future":                {signed(t, document, now.Add(6*time.Minute), secret), document, false},
		"another id":                   {changed("webhook-id", "msg_2"), document, false},
		"another time":                 {changed("webhook-timestamp", strconv.FormatInt(now.Unix()+1, 10)), document, false},
		"no time":                      {changed("webhook-timestamp", "soon"), document, false},
		"odd signature":                {changed("webhook-signature", "v1 v1, ,,"), document, false},
		"another version's signature":  {changed("webhook-signature", "v2"+signed(t, document, now, secret).Get("webhook-signature")[2:]), document, false},
		"another user's X-CALLBACK-ID": {changed("X-CALLBACK-ID", strings.Replace(changed("a", "b").Get("X-CALLBACK-ID"), "=susul", "=other", 1)), document, false},
		"odd X-CALLBACK-ID":            {changed("X-CALLBACK-ID", "timestamp=;=;;;signature"), document, false},
		"not signed at all":            {none, document, false},
	}
}

func TestOnlyWhatIsSignedIsTaken(t *testing.T) {
	for _, secret := range []string{plain, encoded} {
		for name, c := range requests(t, secret) {
			t.Run(name, func(t *testing.T) {
				var took []string
				r := receiver{username: username, secret: secret, seen: newSeen(10), handle: func(e event) error {
					took = append(took, e.Susul.EventID+" "+e.To+" "+e.Status.MessageStatus)
					return nil
				}}
				got := post(t, r, c.header, c.body)
				if !c.good {
					require.Equal(t, http.StatusUnauthorized, got)
					require.Empty(t, took)
					return
				}
				require.Equal(t, http.StatusNoContent, got)
				require.Equal(t, []string{"101 a click", "102 b sent"}, took, "and no test")
			})
		}
	}
}

func post(t testing.TB, handler http.Handler, header http.Header, body string) int {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(body))
	req.Header = header
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w.Code
}

// Each event is handled once, however often it comes, unless it was handled in vain.
func TestEventsAreHandledOnce(t *testing.T) {
	var took []string
	broken := true
	r := receiver{username: username, secret: plain, seen: newSeen(2), handle: func(e event) error {
		if broken && e.Susul.EventID == "102" {
			return errors.New("out of order")
		}
		took = append(took, e.Susul.EventID)
		return nil
	}}
	header := signed(t, document, time.Now(), plain)
	require.Equal(t, http.StatusServiceUnavailable, post(t, r, header, document))
	broken = false
	require.Equal(t, http.StatusNoContent, post(t, r, header, document))
	require.Equal(t, http.StatusNoContent, post(t, r, header, document))
	require.Equal(t, []string{"101", "102"}, took)
	for _, id := range []string{"103", "104", "103"} {
		require.NoError(t, r.seen.once(id, func() error { took = append(took, id); return nil }))
	}
	require.Equal(t, []string{"101", "102", "103", "104"}, took)
	require.Len(t, r.seen.ids, 2, "what it remembers has a bound")

	nonsense := "no JSON"
	require.Equal(t, http.StatusBadRequest, post(t, r, signed(t, nonsense, time.Now(), plain), nonsense))
}

// The Python receiver takes what the Go receiver takes.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	for _, secret := range []string{plain, encoded} {
		address, lines := startPython(t, python, secret)
		for name, c := range requests(t, secret) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/events", strings.NewReader(c.body))
			require.NoError(t, err)
			req.Header = c.header
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err, name)
			require.NoError(t, resp.Body.Close())
			if c.good {
				require.Equal(t, http.StatusNoContent, resp.StatusCode, name)
			} else {
				require.Equal(t, http.StatusUnauthorized, resp.StatusCode, name)
			}
		}
		require.Equal(t, "101 7 a click", <-lines)
		require.Equal(t, "102 7 b sent", <-lines, "and nothing twice, though two requests were good")
		select {
		case line := <-lines:
			require.Fail(t, "it printed more", line)
		default:
		}
	}
}

// startPython runs the Python receiver until the test ends. It returns the lines that it prints.
func startPython(t *testing.T, python, secret string) (address string, lines <-chan string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "receiver.py", "0")
	cmd.Env = append(os.Environ(), "RECEIVER_SECRET="+secret, "PYTHONDONTWRITEBYTECODE=1")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	printed := make(chan string, 100)
	logged := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			printed <- scanner.Text()
		}
	})
	reading.Go(func() {
		scanner := bufio.NewScanner(log)
		scanner.Scan()
		logged <- scanner.Text()
		_, _ = io.Copy(io.Discard, log)
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait()
	})
	line := <-logged
	address, found := strings.CutPrefix(line, "listening on ")
	require.True(t, found, line)
	return address, printed
}

// What the page shows of both is what is tested here.
func TestThePageShowsTheseLines(t *testing.T) {
	page, err := os.ReadFile("../../docs/relay.md")
	require.NoError(t, err)
	quoted := map[string]string{}
	for _, language := range []string{"go", "python"} {
		_, rest, found := strings.Cut(string(page), "```"+language+"\n")
		require.True(t, found, language)
		quoted[language], _, found = strings.Cut(rest, "```")
		require.True(t, found, language)
		require.NotContains(t, rest[len(quoted[language])+3:], "```"+language+"\n", "it is the only block")
	}
	for language, file := range map[string]string{"go": "verify.go", "python": "receiver.py"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, part := range strings.Split(strings.TrimSpace(quoted[language]), "\n\n") {
			require.Contains(t, string(source), strings.TrimSpace(part)+"\n", "in %s", file)
		}
	}
	_, rest, found := strings.Cut(string(page), "```json\n")
	require.True(t, found)
	shown, _, _ := strings.Cut(rest, "```")
	var sample struct{ Rows []event }
	require.NoError(t, json.Unmarshal([]byte(shown), &sample), fmt.Sprint(shown))
	require.NotEmpty(t, sample.Rows)
	require.NotEmpty(t, sample.Rows[0].Susul.EventID)
}
