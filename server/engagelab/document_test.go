package engagelab

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const newsPush = `{"from":"push","to":{"registration_id":["a","b","a"]},"body":{"platform":"android",
	"notification":{"android":{"alert":"Read it","title":"News","extras":{"newsid":321}}},
	"options":{"time_to_live":60}},"request_id":"r1","custom_args":"business info",
	"callback_url":["https://example.com/cb"],"future":{"n":12345678901234567890}}`

func parse(t *testing.T, text string) Document {
	t.Helper()
	document, err := ParseDocument([]byte(text))
	require.NoError(t, err)
	return document
}

func TestDocumentReadsWhatSusulNeeds(t *testing.T) {
	document := parse(t, newsPush)
	require.NoError(t, document.Validate())

	ids, listed := document.RegistrationIDs()
	require.True(t, listed)
	require.Equal(t, []string{"a", "b"}, ids)
	require.Equal(t, "r1", document.RequestID())
	require.Equal(t, "business info", document.CustomArgs())
	require.Equal(t, time.Minute, document.TimeToLive())
	require.Equal(t, []string{"android"}, document.Platforms())
	require.Equal(t, []string{"https://example.com/cb"}, document.CallbackURLs())
	require.Equal(t, map[string]any{"newsid": json.Number("321")}, document.Extras())
}

func TestDocumentForOneRequestKeepsTheRest(t *testing.T) {
	document := parse(t, newsPush)
	body, err := document.For(Request{
		RegistrationIDs: []string{"b"}, CallbackURL: "https://susul/cb", CID: "7-0-0",
	})
	require.NoError(t, err)
	want := strings.NewReplacer(`["a","b","a"]`, `["b"]`, `"https://example.com/cb"`, `"https://susul/cb"`,
		`"time_to_live":60`, `"time_to_live":60,"cid":"7-0-0"`).Replace(newsPush)
	require.JSONEq(t, want, string(body))
	require.Contains(t, string(body), "12345678901234567890")

	unchanged, err := json.Marshal(document)
	require.NoError(t, err)
	require.JSONEq(t, newsPush, string(unchanged), "the document itself must not change")
}

func TestAListTakesThePlaceOfAnyAudience(t *testing.T) {
	for _, to := range []string{
		`"all"`, `{"tag":["a"]}`, `{"alias":["a"],"tag_not":["b"]}`, `{"seg":{"id":"s"}}`, `{"of-a-new-kind":[1]}`,
	} {
		document := parse(t, `{"to":`+to+`,"body":{"message":{}}}`)
		body, err := document.For(Request{RegistrationIDs: []string{"r"}, Narrowed: true, CID: "c"})
		require.NoError(t, err)
		require.JSONEq(t, `{"to":{"registration_id":["r"]},"body":{"message":{},"options":{"cid":"c"}}}`, string(body))
	}
}

func TestAnAudienceKeepsWhatIsNotSusuls(t *testing.T) {
	for to, want := range map[string]string{
		`{"registration_id":["x","y"],"tag":null,"new":[1.0]}`: `{"registration_id":["r"],"tag":null,"new":[1.0]}`,
		`{"registration_id":null,"tag":["x"]}`:                 `{"registration_id":null,"tag":["x"]}`,
		`"all"`:                                                `"all"`,
	} {
		document := parse(t, `{"to":`+to+`,"body":{}}`)
		request := Request{CID: "c"}
		if _, listed := document.RegistrationIDs(); listed {
			stored, err := document.For(Request{})
			require.NoError(t, err)
			require.NotContains(t, string(stored), "registration_id", "recipients are stored elsewhere")
			document, request.RegistrationIDs = parse(t, string(stored)), []string{"r"}
		}
		body, err := document.For(request)
		require.NoError(t, err)
		require.JSONEq(t, `{"to":`+want+`,"body":{"options":{"cid":"c"}}}`, string(body))
		require.Equal(t, strings.Contains(to, "1.0"), strings.Contains(string(body), "1.0"))
	}
}

// What no decoder gives back unchanged goes through as text.
func TestDocumentKeepsWhatCannotBeDecoded(t *testing.T) {
	const odd = `{"half":"\ud83d","n":[1e400,-0,1.0,9007199254740993],"twice":1,"twice":2}`
	document := parse(t, `{"to":"all","custom_args":`+odd+`,"body":{"message":`+odd+`,"options":{"new":`+odd+`}}}`)
	body, err := document.For(Request{CID: "c", CallbackURL: "https://susul.example"})
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(body), odd), "%s", body)

	changed, err := document.Overlay("", "", []byte(`{"body":{"message":{"title":"T"}}}`))
	require.NoError(t, err)
	body, err = changed.For(Request{CID: "c", RegistrationIDs: []string{"r"}, Narrowed: true})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(body), odd), "a follow-up leaves what it does not change: %s", body)
	require.Equal(t, 3, strings.Count(string(body), `"half":"\ud83d","n":[1e400,-0,1.0,9007199254740993]`))
	require.Contains(t, string(body), `"title":"T"`)
}

func TestBatchKeepsWhatStandsBesideItsRequests(t *testing.T) {
	items, err := ParseBatch([]byte(`{"from":"f","request_id":"all of it","new":{"a":1.0},"requests":[
		{"target":"a","platform":"all","from":"own","to":"?"},{"target":"b","request_id":"r","options":{"new":1e400}}]}`), BatchAlias)
	require.NoError(t, err)
	for i, want := range []string{
		`{"from":"own","new":{"a":1.0},"to":{"alias":["a"]},"body":{"platform":"all","to":"?"}}`,
		`{"from":"f","new":{"a":1.0},"request_id":"r","to":{"alias":["b"]},"body":{"options":{"new":1e400}}}`,
	} {
		body, err := items[i].Document.For(Request{})
		require.NoError(t, err)
		require.Equal(t, parse(t, want).Members(), parse(t, string(body)).Members())
	}
}

func TestABatchThatIsBuiltIsRead(t *testing.T) {
	const odd = `{"half":"\ud83d","n":[1e400,1.0]}`
	document := parse(t, `{"from":"f","to":{"tag":["x"]},"request_id":"r","custom_args":{"a":1.0},"callback_url":"https://old","future":1,
		"body":{"platform":"all","notification":{"alert":"n"},"message":`+odd+`,"options":{"time_to_live":60,"override_msg_id":7,"new":1.0},
		"live_activity":`+odd+`,"new":null}}`)
	other := parse(t, `{"to":"all","target":"?","body":{"custom_args":1,"future":2,"options":{"cid":"own"},"target":"?"},"future":1,"custom_args":"text"}`)
	body, err := BuildBatch([]BatchRequest{
		{BatchItem{"a", document}, Request{CID: "7-1-0", CallbackURL: "https://susul", OverrideMsgID: "12"}},
		{BatchItem{"b", other}, Request{CID: "7-1-1"}},
	})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(body), odd), "%s", body)

	items, err := ParseBatch(body, BatchRegID)
	require.NoError(t, err)
	for i, want := range []string{
		`{"from":"f","to":{"registration_id":["a"]},"request_id":"r","custom_args":{"a":1.0},"callback_url":["https://susul"],
			"body":{"platform":"all","notification":{"alert":"n"},"message":` + odd + `,"live_activity":` + odd + `,"new":null,"future":1,
			"options":{"time_to_live":60,"override_msg_id":12,"new":1.0,"cid":"7-1-0"}}}`,
		`{"to":{"registration_id":["b"]},"custom_args":"text","body":{"future":2,"options":{"cid":"7-1-1"}}}`,
	} {
		require.Equal(t, parse(t, want).Members(), items[i].Document.Members())
	}
	unchanged, err := json.Marshal(other)
	require.NoError(t, err)
	require.Contains(t, string(unchanged), `"cid":"own"`, "the document itself must not change")
}

func TestBatchesThatCannotBe(t *testing.T) {
	one := BatchRequest{BatchItem{"a", parse(t, `{"body":{}}`)}, Request{CID: "c"}}
	unknown, anonymous := one, one
	unknown.Request.CID, anonymous.Target = "", ""
	for name, batch := range map[string][]BatchRequest{
		"empty": nil, "twice the same target": {one, one}, "no cid": {unknown}, "no target": {anonymous},
		"too large": make([]BatchRequest, MaxBatchTargets+1),
	} {
		_, err := BuildBatch(batch)
		require.Error(t, err, name)
	}
}

// Whatever documents a batch is made of, their targets get what each alone would have got.
func TestBatchLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var batch []BatchRequest
		var want []map[string]any
		for _, target := range rapid.SliceOfNDistinct(rapid.StringN(1, 20, -1), 1, 5, rapid.ID[string]).Draw(t, "targets") {
			members := map[string]any{"to": "all", "from": "f", "custom_args": jsonObject(1).Draw(t, "custom_args")}
			members["body"] = jsonObject(3).Draw(t, "body")
			data, err := json.Marshal(members)
			require.NoError(t, err)
			document, err := ParseDocument(data)
			require.NoError(t, err)
			batch = append(batch, BatchRequest{BatchItem{target, document}, Request{CID: "c", CallbackURL: "https://susul"}})
			alone, err := document.For(Request{CID: "c", CallbackURL: "https://susul", RegistrationIDs: []string{target}, Narrowed: true})
			require.NoError(t, err)
			read, err := ParseDocument(alone)
			require.NoError(t, err)
			want = append(want, read.Members())
		}
		body, err := BuildBatch(batch)
		require.NoError(t, err)
		items, err := ParseBatch(body, BatchRegID)
		require.NoError(t, err)
		require.Len(t, items, len(batch))
		for i, item := range items {
			require.Equal(t, batch[i].Target, item.Target)
			require.Equal(t, want[i], item.Document.Members())
		}
	})
}

func TestReplacementKeepsWhatTheDocumentNames(t *testing.T) {
	request := Request{OverrideMsgID: "77", CollapseID: "12"}
	for name, c := range map[string]struct{ options, want string }{
		"none":              {`{"big":1.50}`, `{"apns_collapse_id":"12","big":1.50,"override_msg_id":77}`},
		"no options":        {`null`, `{"apns_collapse_id":"12","override_msg_id":77}`},
		"its own":           {`{"apns_collapse_id":"mine"}`, `{"apns_collapse_id":"mine","override_msg_id":77}`},
		"its own, a string": {`{"override_msg_id":"5"}`, `{"apns_collapse_id":"12","override_msg_id":"77"}`},
		"its own is null":   {`{"apns_collapse_id":null}`, `{"apns_collapse_id":null,"override_msg_id":77}`},
	} {
		t.Run(name, func(t *testing.T) {
			sent, err := parse(t, `{"to":"all","body":{"notification":{"alert":"a"},"options":`+c.options+`}}`).For(request)
			require.NoError(t, err)
			require.Equal(t, `{"body":{"notification":{"alert":"a"},"options":`+c.want+`},"to":"all"}`, string(sent))
		})
	}
}

func TestHasContent(t *testing.T) {
	for document, want := range map[string]bool{
		`{}`:                                    false,
		`{"body":{"notification":{}}}`:          false,
		`{"body":{"notification":{"web":{}}}}`:  true,
		`{"body":{"message":{}}}`:               true,
		`{"body":{"live_activity":{"ios":{}}}}`: true,
	} {
		require.Equal(t, want, parse(t, document).HasContent(), document)
	}
}

func TestTimeToLiveInAnySpelling(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`60`: time.Minute, `"60"`: time.Minute, `60.0`: time.Minute, `6e1`: time.Minute, `" 60 "`: time.Minute, `0`: 0,
		`null`: DefaultTimeToLive, `1.5`: -1, `1e400`: -1, `-1`: -1, `"soon"`: -1, `1e300`: -1, `true`: -1, `"NaN"`: -1, `"Inf"`: -1,
	} {
		document := parse(t, `{"to":"all","body":{"message":{},"options":{"time_to_live":`+text+`}}}`)
		if want < 0 {
			require.Error(t, document.Validate(), text)
			continue
		}
		require.NoError(t, document.Validate(), text)
		require.Equal(t, want, document.TimeToLive(), text)
	}
}

func TestOverlay(t *testing.T) {
	cases := map[string]struct{ notification, platform, title, alert, patch, want string }{
		"nothing": {`{"android":{"alert":"a"}}`, `"android"`, "", "", "", `{"android":{"alert":"a"}}`},
		"android": {
			`{"android":{"alert":"a","title":"t","x":1}}`, `"android"`, "T", "A", "",
			`{"android":{"alert":"A","title":"T","x":1}}`,
		},
		"ios text":  {`{"ios":{"alert":"a"}}`, `"ios"`, "T", "", "", `{"ios":{"alert":{"title":"T","body":"a"}}}`},
		"ios parts": {`{"ios":{"alert":{"subtitle":"s"}}}`, `"ios"`, "T", "A", "", `{"ios":{"alert":{"subtitle":"s","title":"T","body":"A"}}}`},
		"common text only": {
			`{"alert":"a"}`, `["android","hmos"]`, "T", "", "", `{"alert":"a","android":{"alert":"a","title":"T"}}`,
		},
		"common and own": {`{"alert":"a","web":{"alert":"w"}}`, `"web"`, "", "A", "", `{"alert":"A","web":{"alert":"A"}}`},
		"patch": {
			`{"android":{"alert":"a","sound":"s"}}`, `"android"`, "", "",
			`{"body":{"notification":{"android":{"sound":null,"extras":{"coupon":"C1"}}}}}`,
			`{"android":{"alert":"a","extras":{"coupon":"C1"}}}`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			document := parse(t, `{"to":"all","body":{"platform":`+c.platform+`,"notification":`+c.notification+`}}`)
			changed, err := document.Overlay(c.title, c.alert, []byte(c.patch))
			require.NoError(t, err)
			got, err := json.Marshal(changed.notification())
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(got))
		})
	}
}

func TestDocumentFaults(t *testing.T) {
	const body = `"body":{"notification":{"alert":"a"}}`
	cases := map[string]struct {
		document string
		fields   []string
	}{
		"fine":                  {`{"to":"all",` + body + `}`, nil},
		"no audience":           {`{` + body + `}`, []string{"to"}},
		"null audience":         {`{"to":{"registration_id":null,"tag":null},` + body + `}`, []string{"to"}},
		"null beside a kind":    {`{"to":{"registration_id":null,"tag":["a"]},` + body + `}`, nil},
		"empty audience":        {`{"to":{},` + body + `}`, []string{"to"}},
		"other word":            {`{"to":"some",` + body + `}`, []string{"to"}},
		"both kinds":            {`{"to":{"registration_id":["a"],"tag":["x"]},` + body + `}`, []string{"to"}},
		"empty list":            {`{"to":{"registration_id":[]},` + body + `}`, []string{"to.registration_id"}},
		"not a list":            {`{"to":{"registration_id":"a"},` + body + `}`, []string{"to.registration_id"}},
		"odd ids":               {`{"to":{"registration_id":["a",1,""]},` + body + `}`, []string{"to.registration_id[1]", "to.registration_id[2]"}},
		"no body":               {`{"to":"all"}`, []string{"body"}},
		"empty body":            {`{"to":"all","body":{}}`, []string{"body"}},
		"bad notification":      {`{"to":"all","body":{"notification":"a"}}`, []string{"body.notification"}},
		"bad life":              {`{"to":"all","body":{"message":{},"options":{"time_to_live":-1}}}`, []string{"body.options.time_to_live"}},
		"fractional life":       {`{"to":"all","body":{"message":{},"options":{"time_to_live":1.5}}}`, []string{"body.options.time_to_live"}},
		"custom_args number":    {`{"to":"all","custom_args":7,` + body + `}`, []string{"custom_args"}},
		"long request_id":       {`{"to":"all","request_id":"` + strings.Repeat("x", 257) + `",` + body + `}`, []string{"request_id"}},
		"zero in request_id":    {`{"to":"all","request_id":"a\u0000",` + body + `}`, []string{"request_id"}},
		"zero in an id":         {`{"to":{"registration_id":["a","\u0000"]},` + body + `}`, []string{"to.registration_id[1]"}},
		"zero in a callback":    {`{"to":"all","callback_url":"http://host/\u0000",` + body + `}`, []string{"callback_url[0]"}},
		"zero in cid":           {`{"to":"all","body":{"message":{},"options":{"cid":"\u0000"}}}`, []string{"body.options.cid"}},
		"zero in content":       {`{"to":{"alias":["\u0000"]},"from":"\u0000","body":{"notification":{"alert":"\u0000"}}}`, nil},
		"callback without host": {`{"to":"all","callback_url":["file:///etc/passwd"],` + body + `}`, []string{"callback_url[0]"}},
		"callback with user":    {`{"to":"all","callback_url":"http://u:p@host/",` + body + `}`, []string{"callback_url[0]"}},
		"callback to a port":    {`{"to":"all","callback_url":"http://:80/",` + body + `}`, []string{"callback_url[0]"}},
		"everything at once": {
			`{"to":7,"from":1,"callback_url":3,"body":{}}`,
			[]string{"from", "to", "callback_url", "body"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := parse(t, c.document).Validate()
			if c.fields == nil {
				require.NoError(t, err)
				return
			}
			var invalid *InvalidDocument
			require.ErrorAs(t, err, &invalid)
			var fields []string
			for _, fault := range invalid.Faults {
				fields = append(fields, fault.Field)
			}
			require.Equal(t, c.fields, fields)
		})
	}
}

func TestParseDocumentRefusesWhatIsNotOneObject(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "7", `{"a":1} {"b":2}`, `{"a":1}x`, `{"a":`} {
		_, err := ParseDocument([]byte(text))
		require.Error(t, err, text)
	}
}

// Whatever a client sends comes out the same, apart from what Susul fills in.
func TestDocumentLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := jsonObject(3).Draw(t, "members")
		members["to"] = "all"
		members["body"] = map[string]any{"notification": jsonObject(2).Draw(t, "notification")}
		sent, err := json.Marshal(members)
		require.NoError(t, err)
		document, err := ParseDocument(sent)
		require.NoError(t, err)

		forwarded, err := document.For(Request{CID: "c"})
		require.NoError(t, err)
		members["body"].(map[string]any)["options"] = map[string]any{"cid": "c"}
		want, err := json.Marshal(members)
		require.NoError(t, err)
		require.Equal(t, string(want), string(forwarded))
	})
}

// jsonObject draws an object with members of every JSON type, nested to the given depth.
func jsonObject(depth int) *rapid.Generator[map[string]any] {
	values := []*rapid.Generator[any]{
		rapid.String().AsAny(),
		rapid.Bool().AsAny(),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?(e[0-9]{1,2})?`),
			func(s string) any { return json.Number(s) }),
		rapid.Just(any(nil)),
	}
	if depth > 0 {
		values = append(values, rapid.Map(jsonObject(depth-1), func(m map[string]any) any { return m }))
	}
	return rapid.MapOfN(rapid.StringMatching(`x[a-z-]{0,8}`), rapid.OneOf(values...), 0, 5)
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(newsPush))
	f.Fuzz(func(t *testing.T, data []byte) {
		document, err := ParseDocument(data)
		if err != nil {
			return
		}
		_ = document.Validate()
		document.Platforms()
		document.Extras()
		document.CallbackURLs()
		_, err = document.For(Request{CID: "c", RegistrationIDs: []string{"a"}})
		require.NoError(t, err)
	})
}

// What a batch of personal texts costs for each of its targets.
func BenchmarkBuildBatch(b *testing.B) {
	push, err := ParseDocument([]byte(newsPush))
	require.NoError(b, err)
	for b.Loop() {
		batch := make([]BatchRequest, MaxBatchTargets)
		for i := range batch {
			id := fmt.Sprint("1507bfd3f9e0a1b2c3d", i)
			document, err := push.Overlay("For "+id, "", nil)
			require.NoError(b, err)
			batch[i] = BatchRequest{BatchItem{id, document}, Request{CID: id, OverrideMsgID: "1", CollapseID: "2", CallbackURL: "https://susul.example/cb"}}
		}
		_, err := BuildBatch(batch)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxBatchTargets, "ns/target")
}
