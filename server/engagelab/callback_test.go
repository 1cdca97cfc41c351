package engagelab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/server/engagelab"
)

const documented = `{"total":1,"rows":[{
  "message_id":"1666165485030094861", "from":"", "to":"19aa",
  "server":"AppPush", "channel":"FCM", "custom_args":{"a": 1},
  "itime":1640707579,
  "status":{"message_status":"delivered",
            "status_data":{"channel_message_id":"wamid.123"},
            "error_code":7, "error_detail":{"message":"why"},
            "loss":{"loss_source":"vivo"}}}]}`

func TestParseCallbacks(t *testing.T) {
	row := engagelab.CallbackRow{
		MessageID: "1666165485030094861", To: "19aa", Channel: "FCM", ITime: 1640707579,
		Status: engagelab.CallbackStatus{
			MessageStatus: "delivered", ErrorCode: 7, ErrorDetail: engagelab.ErrorDetail{Message: "why"},
			Loss: engagelab.Loss{LossSource: "vivo"},
		},
	}
	for name, c := range map[string]struct {
		body string
		want engagelab.CallbackBatch
	}{
		"documented": {documented, engagelab.CallbackBatch{Total: 1, Rows: []engagelab.CallbackRow{row}}},
		"echo":       {`{"echostr":"12345678"}`, engagelab.CallbackBatch{EchoStr: "12345678"}},
		"empty":      {` {} `, engagelab.CallbackBatch{}},
		"numbers and strings swapped": {
			`{"total":"2","rows":[{"message_id":1666165485030094861,"to":5,"itime":"1640707579","status":{"error_code":"7"}},
			  {"itime":1640707579.0,"custom_args":"text"}]}`,
			engagelab.CallbackBatch{Total: 2, Rows: []engagelab.CallbackRow{
				{MessageID: "1666165485030094861", To: "5", ITime: 1640707579, Status: engagelab.CallbackStatus{ErrorCode: 7}},
				{ITime: 1640707579},
			}},
		},
		"nulls, strangers and rows that are none": {
			`{"rows":[null,7,{"message_id":null,"to":"a","custom_args":null,"itime":"soon","new":{"x":[1]},"status":null},
			  {"status":{"message_status":["?"],"error_detail":"text","loss":null}}],"total":null,"next":true}`,
			engagelab.CallbackBatch{Rows: []engagelab.CallbackRow{{To: "a"}, {}}},
		},
		"texts alike in several rows and members": {
			`{"rows":[{"message_id":"1","to":"1","channel":"1"},{"message_id":"2","to":"1"},{"message_id":"1","channel":"\u0031"}]}`,
			engagelab.CallbackBatch{Rows: []engagelab.CallbackRow{
				{MessageID: "1", To: "1", Channel: "1"}, {MessageID: "2", To: "1"}, {MessageID: "1", Channel: "1"},
			}},
		},
		"no rows": {`{"rows":null}`, engagelab.CallbackBatch{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := engagelab.ParseCallbacks([]byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.want.Total, got.Total)
			require.Equal(t, c.want.EchoStr, got.EchoStr)
			require.Equal(t, c.want.Rows, got.Rows)
		})
	}
}

func TestRowsAreThereAsTheyCame(t *testing.T) {
	rows := []string{`{"to":"a", "new":{"x":[1.50]}}`, `{ }`}
	got, err := engagelab.ParseCallbacks([]byte(`{"rows":[` + rows[0] + ` , null,` + rows[1] + `]}`))
	require.NoError(t, err)
	for i, row := range rows {
		require.Equal(t, row, string(got.Raw(i)))
	}
}

func TestABatchIsReadInTheMemoryOfAnother(t *testing.T) {
	var batch engagelab.CallbackBatch
	require.NoError(t, batch.Parse([]byte(documented)))
	batch.Raw(0)
	require.NoError(t, batch.Parse([]byte(`{"rows":[{"to":"b"}]}`)))
	require.Equal(t, []engagelab.CallbackRow{{To: "b"}}, batch.Rows)
	require.Zero(t, batch.Total)
	require.JSONEq(t, `{"to":"b"}`, string(batch.Raw(0)))
}

func TestParseCallbacksRefuses(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `"x"`, `{`, `{"rows":[{]}`, `{"rows":[`, documented + "x", documented + documented, `{"rows":{"a":1}}`, `{"rows":5}`, `{}"`, `{}{`, `{}1`, `{} nul`,
		`{"custom":` + strings.Repeat("[", 100_000),
	} {
		_, err := engagelab.ParseCallbacks([]byte(body))
		require.ErrorIs(t, err, engagelab.ErrMalformedCallbacks, "%.40q", body)
	}
}

func TestCallbacksSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return rapid.String().Draw(t, name) }
		row := engagelab.CallbackRow{
			MessageID: text("message_id"), To: text("to"), Channel: text("channel"), ITime: rapid.Int64().Draw(t, "itime"),
		}
		row.Status.MessageStatus = text("status")
		row.Status.ErrorCode = rapid.Int().Draw(t, "error_code")
		row.Status.ErrorDetail.Message = text("message")
		row.Status.Loss.LossSource = text("loss_source")
		sent := engagelab.CallbackBatch{Total: 2, Rows: []engagelab.CallbackRow{row, row}}

		body, err := json.Marshal(sent)
		require.NoError(t, err)
		read, err := engagelab.ParseCallbacks(body)
		require.NoError(t, err)
		require.Equal(t, sent.Rows, read.Rows)
	})
}

// FuzzParseCallbacks compares what is read with what encoding/json reads, wherever that can read the body into the same
// types: it refuses numbers in place of strings and takes keys of any case, which rows have in no other way.
func FuzzParseCallbacks(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(`{"rows":[null,{"itime":"1e9","status":{"error_code":1e99}}]}`))
	f.Add([]byte(`{"rows":[{"to":"\ud83d\ude00","to":"b","status":{},"status":{"message_status":"sent"}}],"rows":[{}]}`))
	f.Add([]byte("{\"rows\":[{\"to\":\"\xff\"}]}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var want engagelab.CallbackBatch
		reference := strict(body, &want)
		batch, err := engagelab.ParseCallbacks(body)
		if err != nil {
			require.ErrorIs(t, err, engagelab.ErrMalformedCallbacks)
			require.Error(t, reference, "encoding/json can read it")
			return
		}
		require.True(t, json.Valid(body), "what is no JSON was read")
		for i := range batch.Rows {
			require.True(t, json.Valid(batch.Raw(i)))
		}
		if reference == nil {
			require.Equal(t, want.Total, batch.Total)
			require.Equal(t, want.EchoStr, batch.EchoStr)
			require.Len(t, batch.Rows, len(want.Rows))
			for i, row := range batch.Rows {
				want := want.Rows[i]
				want.From, want.Server, want.CustomArgs, want.Status.StatusData = "", "", nil, nil
				require.Equal(t, want, row)
			}
		}
	})
}

// errSeenDifferently is returned for bodies that the two readers may see differently.
var errSeenDifferently = errors.New("not comparable")

// strict reads a body with encoding/json, unless it has a null, an object with a key that is there twice or differs from
// the usual in case, or text that is not UTF-8.
func strict(body []byte, into *engagelab.CallbackBatch) error {
	if !utf8.Valid(body) || !comparable(json.NewDecoder(bytes.NewReader(body))) {
		return errSeenDifferently
	}
	return json.Unmarshal(body, into)
}

// comparable reads a value.
func comparable(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil || token == nil {
		return false
	}
	keys := map[string]bool{}
	for isObject := token == json.Delim('{'); (isObject || token == json.Delim('[')) && d.More(); {
		if isObject {
			key, err := d.Token()
			text, _ := key.(string)
			if err != nil || keys[text] || text != strings.ToLower(text) {
				return false
			}
			keys[text] = true
		}
		if !comparable(d) {
			return false
		}
	}
	if _, opened := token.(json.Delim); opened {
		_, err = d.Token()
	}
	return err == nil
}

func BenchmarkParseCallbacks(b *testing.B) {
	rows := make([]string, 100)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"message_id":"1666165485030094861","from":"","to":"%019x","server":"AppPush","channel":"FCM",`+
			`"custom_args":{"campaign":"morning"},"itime":1640707579,"status":{"message_status":"delivered","status_data":`+
			`{"channel_message_id":"wamid.123"},"error_code":0,"error_detail":{"message":""},"loss":{"loss_source":""}}}`, i)
	}
	body := []byte(`{"total":100,"rows":[` + strings.Join(rows, ",") + `]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engagelab.ParseCallbacks(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "rows/s")
}
