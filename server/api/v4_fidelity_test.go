package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/server/servertest"
)

// recorder takes every request and remembers it as it came. Each push gets an id of its own.
type recorder struct {
	mu  sync.Mutex
	got []recorded
}

type recorded struct {
	uri  string
	body []byte
}

func (w world) record(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	w.engageLab.failWith(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, recorded{req.RequestURI, body})
		w.engageLab.recordedID++ // its lock is held
		_, _ = fmt.Fprintf(rw, `{"request_id":"up","msg_id":"%d"}`, 5_000_000+w.engageLab.recordedID)
	})
	t.Cleanup(func() { w.engageLab.failWith(nil) })
	return r
}

// take returns what has arrived since it was last called.
func (r *recorder) take() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// escapes finds what a backslash introduces in a JSON text; a pair of surrogates is one of these.
var escapes = regexp.MustCompile(`\\(?:u[dD][89abAB][[:xdigit:]]{2}\\u[dD][c-fC-F][[:xdigit:]]{2}|u[[:xdigit:]]{4}|.)`)

// exactly decodes a JSON text without loss: numbers as they were written, and half a pair of surrogates, for which
// decoders know no place, as a word.
func exactly(t require.TestingT, text []byte) map[string]any {
	marked := escapes.ReplaceAllFunc(text, func(escape []byte) []byte {
		if lower := bytes.ToLower(escape); len(lower) == 6 && lower[2] == 'd' && lower[3] >= '8' {
			return append([]byte("half of a pair: "), lower[2:]...)
		}
		return escape
	})
	decoder := json.NewDecoder(bytes.NewReader(marked))
	decoder.UseNumber()
	var members map[string]any
	require.NoError(t, decoder.Decode(&members), "%s", text)
	return members
}

// expected is what EngageLab is to get for a document; fill adds what is Susul's, as it was seen.
func expected(t require.TestingT, sent, got map[string]any) map[string]any {
	delete(sent, "callback_url")
	if to, ok := sent["to"].(map[string]any); ok {
		if ids, listed := to["registration_id"].([]any); listed {
			to["registration_id"] = withoutRepeats(ids)
		}
	}
	body := sent["body"].(map[string]any)
	options, _ := body["options"].(map[string]any)
	if options == nil {
		options = map[string]any{}
		body["options"] = options
	}
	options["cid"] = got["body"].(map[string]any)["options"].(map[string]any)["cid"]
	require.Regexp(t, `^[A-Za-z0-9_-]{1,64}$`, options["cid"])
	return sent
}

func withoutRepeats(ids []any) []any {
	var kept []any
	seen := map[any]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			kept = append(kept, id)
		}
	}
	return kept
}

// Whatever document a client sends, EngageLab gets the same, but for what is Susul's.
func (w world) TestNothingIsLostInAPush(t *testing.T) {
	r := w.record(t)
	rapid.Check(t, func(t *rapid.T) {
		text := pushText.Draw(t, "push")
		resp := w.send(t, "/v4/push", text)
		require.Equal(t, http.StatusOK, resp.Status, "%s\n%s", resp.Body, text)
		got := r.take()
		require.Len(t, got, 1)
		arrived := exactly(t, got[0].body)
		require.Equal(t, expected(t, exactly(t, []byte(text)), arrived), arrived, "%s\n%s", text, got[0].body)

		resp = w.send(t, "/v4/push/validate", text)
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		checked := exactly(t, r.take()[0].body)
		want := exactly(t, []byte(text))
		if options, ok := want["body"].(map[string]any)["options"].(map[string]any); ok && options["cid"] != nil {
			require.Equal(t, options["cid"], checked["body"].(map[string]any)["options"].(map[string]any)["cid"])
		}
	})
}

func (w world) TestNothingIsLostInABatch(t *testing.T) {
	r := w.record(t)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"regid", "alias"}).Draw(t, "kind")
		beside := rapid.SampledFrom([]string{"", `"from":"shop",`, `"new-member":{"n":1e400},`}).Draw(t, "beside")
		targets := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9]{1,8}`), 1, 4, rapid.ID).Draw(t, "targets")
		var requests []string
		want := map[string]map[string]any{}
		for _, target := range targets {
			body, envelope := bodyText.Draw(t, "body"), envelopeText.Draw(t, "envelope")
			requests = append(requests, `{"target":"`+target+`",`+envelope+body[1:])
			selector := map[string]string{"regid": "registration_id", "alias": "alias"}[kind]
			want[target] = exactly(t, []byte(`{`+beside+envelope+`"to":{"`+selector+`":["`+target+`"]},"body":`+body+`}`))
		}
		text := `{` + beside + `"requests":[` + strings.Join(requests, ",") + `]}`
		resp := w.send(t, "/v4/batch/push/"+kind, text)
		require.Equal(t, http.StatusOK, resp.Status, resp.Body)
		require.NotContains(t, resp.Body, `"code"`, text)
		arrived := r.take()
		require.Len(t, arrived, len(targets))
		for _, one := range arrived {
			got := exactly(t, one.body)
			for _, ids := range got["to"].(map[string]any) {
				target := ids.([]any)[0].(string)
				require.Equal(t, expected(t, want[target], got), got, "%s\n%s", text, one.body)
				delete(want, target)
			}
		}
		require.Empty(t, want)
	})
}

// What Susul has no part in isn't even looked at.
func (w world) TestNothingIsLostInTheProxy(t *testing.T) {
	r := w.record(t)
	rapid.Check(t, func(t *rapid.T) {
		uri := "/v4/" + rapid.StringMatching(`(devices|tags|aliases|schedules|push_plan)(/([a-z0-9~!$&'()*+,;=:@_.-]|%2F|%2e|%20|%25|%E4%BD%A0|%ff){0,6}){0,3}/?`+
			`(\?([a-z]|[;&=/?+%,:@!*']|%2C|%00|%zz){0,12})?`).Draw(t, "uri")
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
		method := rapid.SampledFrom([]string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch}).Draw(t, "method")
		resp := w.raw(t, method, uri, body)
		require.Equal(t, http.StatusOK, resp, uri)
		require.Equal(t, []recorded{{uri, body}}, r.take())
	})
}

func (w world) send(t *rapid.T, path, body string) servertest.Response {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.HTTPAddress()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", asOther)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return servertest.Response{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}

// raw sends a request whose URI is written as it is.
func (w world) raw(t *rapid.T, method, uri string, body []byte) (status int) {
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.HTTPAddress(), bytes.NewReader(body))
	require.NoError(t, err)
	path, query, _ := strings.Cut(uri, "?")
	req.URL.Opaque, req.URL.RawQuery, req.URL.ForceQuery = path, query, strings.HasSuffix(uri, "?")
	req.Header.Set("Authorization", asOther)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// Generators of JSON texts, in which everything is written in one of its spellings.
var (
	stringText = rapid.Custom(func(t *rapid.T) string {
		return `"` + strings.Join(rapid.SliceOfN(rapid.OneOf(
			rapid.SampledFrom([]string{
				`\"`, `\\`, `\/`, `\n`, `\t`, `\u0000`, `\u003c`, `<b>&`, ` `, `\u2028`, `{{ x }}`, `\ud83d\ude00`, `😀`, `é`, `e\u0301`,
				`\ud83d`, `\uDE00`, `\\ud83d`, `%2F`, `null`,
			}),
			rapid.StringMatching(`[a-zA-Z0-9 ]{1,6}`),
		), 0, 4).Draw(t, "parts"), "") + `"`
	})
	numberText = rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`),
		rapid.SampledFrom([]string{`-0`, `1.0`, `1e400`, `-1E-400`, `9007199254740993`, `18446744073709551616`, `0.1`}),
		rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
	)
	nameText = rapid.OneOf(rapid.StringMatching(`"x[a-z0-9_.-]{0,8}"`), rapid.Just(`"x\u002d\ud83d\ude00"`),
		rapid.SampledFrom([]string{`"content-available"`, `"mutable-content"`, `"thread-id"`, `"interruption-level"`, `"Alert"`}))
)

// valueText draws any JSON value, nested to a depth.
func valueText(depth int) *rapid.Generator[string] {
	choices := []*rapid.Generator[string]{stringText, numberText, rapid.SampledFrom([]string{"null", "true", "false", "[]", "{}"})}
	if depth > 0 {
		list := rapid.Map(rapid.SliceOfN(valueText(depth-1), 0, 3), func(items []string) string { return "[" + strings.Join(items, " , ") + "]" })
		choices = append(choices, list, rapid.Map(membersText(depth-1), func(m string) string { return "{" + strings.TrimSuffix(m, ",") + "}" }))
	}
	return rapid.OneOf(choices...)
}

// membersText draws members of an object, each with a comma behind it.
func membersText(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var text strings.Builder
		for _, name := range rapid.SliceOfNDistinct(nameText, 0, 4, rapid.ID).Draw(t, "names") {
			fmt.Fprintf(&text, "%s : %s,", name, valueText(depth).Draw(t, "value"))
		}
		return text.String()
	})
}

func objectText(depth int) *rapid.Generator[string] {
	return rapid.Map(membersText(depth), func(m string) string { return "{" + strings.TrimSuffix(m, ",") + "}" })
}

// bodyText draws what is in a push's body: an object that doesn't end in a comma, and has members.
var bodyText = rapid.Custom(func(t *rapid.T) string {
	platform := rapid.SampledFrom([]string{`"all"`, `"android"`, `["android","ios"]`, `["hmos","web","of-a-new-kind"]`}).Draw(t, "platform")
	content := rapid.OneOf(
		rapid.Map(stringText, func(s string) string { return `"notification":{"alert":` + s + `}` }),
		rapid.Map(objectText(2), func(o string) string { return `"notification":{"android":` + o + `,"ios":` + o + `,"new":null}` }),
		rapid.Map(objectText(1), func(o string) string { return `"message":` + o + `,"notification":null` }),
		rapid.Map(objectText(2), func(o string) string { return `"live_activity":{"ios":` + o + `}` }),
	).Draw(t, "content")
	options := rapid.OneOf(
		rapid.SampledFrom([]string{``, `,"options":null`, `,"options":{}`, `,"options":{"time_to_live":86400.0,"apns_production":null}`}),
		rapid.Map(objectText(2), func(o string) string { return `,"options":{"time_to_live":"60","plan_id":"p","more":` + o + `}` }),
	).Draw(t, "options")
	return `{"platform":` + platform + `,` + membersText(2).Draw(t, "unknown") + content + options + `}`
})

// envelopeText draws what stands around a push's body, each member with a comma behind it.
var envelopeText = rapid.Custom(func(t *rapid.T) string {
	customArgs := rapid.OneOf(rapid.Just(``), rapid.Just(`"custom_args":null,`),
		rapid.Map(rapid.OneOf(stringText, objectText(2)), func(v string) string { return `"custom_args":` + v + `,` })).Draw(t, "custom_args")
	return customArgs + rapid.SampledFrom([]string{
		``, `"from":"push",`, `"from":null,"request_id":null,`, `"callback_url":null,`, `"callback_url":["https://news.example/cb"],`,
	}).Draw(t, "more")
})

var pushText = rapid.Custom(func(t *rapid.T) string {
	to := rapid.OneOf(
		rapid.SampledFrom([]string{
			`"all"`, `{"tag":["a","b"],"tag_and":["c"],"tag_not":["\u00e9"]}`, `{"alias":["x"]}`, `{"live_activity_id":"l"}`, `{"seg":{"id":"s","new":1.0}}`,
			`{"registration_id":null,"tag":["a"],"alias":null}`, `{"registration_id":["a"],"tag":null}`, `{"of-a-new-kind":{"n":1e400}}`,
		}),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{`"r1"`, `"r2"`, `"r\u0031"`, `"<r>"`, `"é"`}), 1, 8),
			func(ids []string) string { return `{"registration_id":[` + strings.Join(ids, ",") + `]}` }),
	).Draw(t, "to")
	return `{` + envelopeText.Draw(t, "envelope") + `"to":` + to + `,` + membersText(2).Draw(t, "unknown") + `"body":` + bodyText.Draw(t, "body") + `}`
})
