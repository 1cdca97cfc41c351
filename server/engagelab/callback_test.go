package engagelab_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

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
		MessageID: "1666165485030094861", To: "19aa", Server: "AppPush", Channel: "FCM",
		CustomArgs: json.RawMessage(`{"a": 1}`), ITime: 1640707579,
		Status: engagelab.CallbackStatus{
			MessageStatus: "delivered", StatusData: json.RawMessage(`{"channel_message_id":"wamid.123"}`),
			ErrorCode: 7, ErrorDetail: engagelab.ErrorDetail{Message: "why"}, Loss: engagelab.Loss{LossSource: "vivo"},
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
				{ITime: 1640707579, CustomArgs: json.RawMessage(`"text"`)},
			}},
		},
		"nulls, strangers and rows that are none": {
			`{"rows":[null,7,{"message_id":null,"to":"a","custom_args":null,"itime":"soon","new":{"x":[1]},"status":null},
			  {"status":{"message_status":["?"],"error_detail":"text","loss":null}}],"total":null,"next":true}`,
			engagelab.CallbackBatch{Rows: []engagelab.CallbackRow{{To: "a"}, {}}},
		},
		"rows is not a list": {`{"rows":{"a":1}}`, engagelab.CallbackBatch{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := engagelab.ParseCallbacks([]byte(c.body))
			require.NoError(t, err)
			for i, row := range got.Rows {
				require.True(t, json.Valid(row.Raw))
				require.Contains(t, c.body, string(row.Raw))
				got.Rows[i].Raw = nil
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestRowsAreKeptAsTheyCame(t *testing.T) {
	rows := []string{`{"to":"a", "new":{"x":[1.50]}}`, `{ }`}
	got, err := engagelab.ParseCallbacks([]byte(`{"rows":[` + strings.Join(rows, " , ") + `]}`))
	require.NoError(t, err)
	for i, row := range got.Rows {
		require.Equal(t, rows[i], string(row.Raw))
	}
}

func TestParseCallbacksRefuses(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `"x"`, `{`, `{"rows":[{]}`, `{"rows":[`, documented + "x", documented + documented,
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
			MessageID: text("message_id"), From: text("from"), To: text("to"), Server: text("server"),
			Channel: text("channel"), ITime: rapid.Int64().Draw(t, "itime"),
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
		for i := range read.Rows {
			read.Rows[i].Raw = nil
		}
		require.Equal(t, sent, read)
	})
}

func FuzzParseCallbacks(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(`{"rows":[null,{"itime":"1e9","status":{"error_code":1e99}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		batch, err := engagelab.ParseCallbacks(body)
		if err != nil {
			require.ErrorIs(t, err, engagelab.ErrMalformedCallbacks)
			return
		}
		_, err = json.Marshal(batch)
		require.NoError(t, err, "what was read can be written")
	})
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
