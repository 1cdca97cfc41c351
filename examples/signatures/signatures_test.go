package signatures

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/webhook"
)

const (
	username = "susul"
	plain    = "a-secret-of-the-receiver"
	other    = "the-secret-of-another-one"
	document = `{"total":0,"rows":[]}`
)

// encoded is a secret as Susul makes it up.
var encoded = "whsec_" + base64.StdEncoding.EncodeToString([]byte("32 bytes that nobody else knows."))

// request is one that a service got, and whether it proves that it is Susul's, by each signature.
type request struct {
	Header http.Header
	Body   string
	Secret string // the service's
	Whole  bool   // by Standard Webhooks' signature
	Caller bool   // by EngageLab's
}

// posted returns a request as Susul's own client makes it.
func posted(t testing.TB, at time.Time, secrets ...string) (http.Header, string) {
	t.Helper()
	got := make(chan request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{Header: r.Header, Body: string(body)}
	}))
	defer server.Close()
	client := webhook.NewClient(webhook.Options{AllowPrivateNetworks: true})
	defer client.Close()
	result := client.Post(t.Context(), webhook.Request{
		URL: server.URL, ID: "whk_1", Time: at, Body: []byte(document), Username: username, Secrets: secrets,
	})
	require.NoError(t, result.Err)
	r := <-got
	return r.Header, r.Body
}

func requests(t testing.TB, secret string) map[string]request {
	t.Helper()
	now := time.Now()
	all := map[string]request{}
	add := func(name string, at time.Time, secrets []string, whole, caller bool, change func(*request)) {
		header, body := posted(t, at, secrets...)
		r := request{Header: header, Body: body, Secret: secret, Whole: whole, Caller: caller}
		if change != nil {
			change(&r)
		}
		all[name] = r
	}
	own := []string{secret}
	set := func(name string, value func(string) string) func(*request) {
		return func(r *request) { r.Header.Set(name, value(r.Header.Get(name))) }
	}
	to := func(value string) func(string) string { return func(string) string { return value } }
	replaced := func(old, by string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, by, 1) }
	}
	add("as it is", now, own, true, true, nil)
	add("the newer of two secrets", now, []string{secret, other}, true, false, nil)
	add("the older of two secrets", now, []string{other, secret}, true, true, nil)
	add("another's secret", now, []string{other}, false, false, nil)
	add("not signed", now, nil, false, false, nil)
	add("old", now.Add(-6*time.Minute), own, false, false, nil)
	add("of the future", now.Add(6*time.Minute), own, false, false, nil)
	add("nearly old", now.Add(-4*time.Minute), own, true, true, nil)
	add("another body", now, own, false, true, func(r *request) { r.Body += " " })
	add("another id", now, own, false, true, set("webhook-id", to("whk_2")))
	add("another time", now, own, false, true, set("webhook-timestamp", to(strconv.FormatInt(now.Unix()-9, 10))))
	add("no time", now, own, false, true, set("webhook-timestamp", to("soon")))
	add("an odd signature", now, own, false, true, set("webhook-signature", to("v1 v1, ,, é")))
	add("another version", now, own, false, true, set("webhook-signature", replaced("v1,", "v2,")))
	add("another user", now, own, true, false, set("X-CALLBACK-ID", replaced("username=susul", "username=other")))
	add("another nonce", now, own, true, false, set("X-CALLBACK-ID", replaced("nonce=", "nonce=1")))
	add("an odd X-CALLBACK-ID", now, own, true, false, set("X-CALLBACK-ID", to("timestamp=;=;;;signature;é")))
	add("a prefix of a signature", now, own, true, false, set("X-CALLBACK-ID", func(s string) string { return s[:len(s)-1] }))
	return all
}

func TestGo(t *testing.T) {
	for _, secret := range []string{plain, encoded} {
		for name, r := range requests(t, secret) {
			require.Equal(t, r.Whole, Verify(r.Header, []byte(r.Body), r.Secret) == nil, name)
			require.Equal(t, r.Caller, VerifyCallbackID(r.Header, username, r.Secret, time.Now()) == nil, name)
		}
	}
	require.Error(t, Verify(http.Header{}, nil, "whsec_no base64"))
}

// answers has Python say of each request what it thinks.
const answers = `
import http.client, io, json, sys
sys.dont_write_bytecode = True
from signatures import verify, verify_callback_id
for r in json.load(sys.stdin):
    text = "".join(f"{name}: {value}\r\n" for name, values in r["Header"].items() for value in values) + "\r\n"
    headers = http.client.parse_headers(io.BytesIO(text.encode()))
    print(verify(headers, r["Body"].encode(), r["Secret"]), verify_callback_id(headers, "susul", r["Secret"]))
`

func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	var all []request
	var names, want []string
	for _, secret := range []string{plain, encoded} {
		for name, r := range requests(t, secret) {
			all, names = append(all, r), append(names, name)
			text := map[bool]string{true: "True", false: "False"}
			want = append(want, text[r.Whole]+" "+text[r.Caller])
		}
	}
	input, err := json.Marshal(all)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "-c", answers)
	var log bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &log
	out, err := cmd.Output()
	require.NoError(t, err, log.String())
	require.Equal(t, want, strings.Split(strings.TrimSpace(string(out)), "\n"), "%q", names)
}

// What the page shows is what is tested here.
func TestThePageShowsTheseLines(t *testing.T) {
	page, err := os.ReadFile("../../docs/relay.md")
	require.NoError(t, err)
	for language, file := range map[string]string{"go": "signatures.go", "python": "signatures.py"} {
		blocks := strings.Split(string(page), "```"+language+"\n")
		require.Len(t, blocks, 2, language)
		shown, _, found := strings.Cut(blocks[1], "```")
		require.True(t, found)
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(source), shown, "in %s", file)
	}
}
