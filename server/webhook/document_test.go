package webhook_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/subscription"
	"susul.dev/susul/server/webhook"
	"susul.dev/susul/storage"
)

func clickedEvent() storage.Event {
	return storage.Event{
		Sequence: 1_234_567, App: "demo", PushID: 1_911_223_344_556_677_889, Step: 2, Variant: "b",
		Callback: storage.Callback{
			UpstreamID: "1666165485030094861", RegistrationID: "1507bfd3f9e0a1b2c3d", Milestone: storage.Clicked, Status: "clicked",
			Time: time.Unix(1_640_707_579, 0).UTC(), Channel: "FCM",
		},
	}
}

func promotion() subscription.Push {
	return subscription.Push{From: "shop", CustomArgsAs: json.RawMessage(`{"kind":"promotion", "n":12345678901234567890}`)}
}

func TestARowReadsAsEngageLabsWithWhatIsSusuls(t *testing.T) {
	e, p := clickedEvent(), promotion()
	row := webhook.AppendRow([]byte("before"), &e, &p)
	require.Equal(t, `before{"message_id":"1911223344556677889","from":"shop","to":"1507bfd3f9e0a1b2c3d","server":"AppPush",`+
		`"channel":"FCM","custom_args":{"kind":"promotion", "n":12345678901234567890},"itime":1640707579,`+
		`"status":{"message_status":"click","status_data":{},"error_code":0,"error_detail":{"message":""},`+
		`"loss":{"loss_source":""}},"susul":{"event_id":"1234567","step":2,"variant":"b","upstream_id":"1666165485030094861"}}`,
		string(row))
}

func TestStatusesAreSpelledAsEngageLabDoes(t *testing.T) {
	for _, tc := range []struct {
		milestone    storage.Milestone
		status, want string
	}{
		{storage.Sent, "sent", "sent"},
		{storage.Delivered, "delivered", "delivered"},
		{storage.Displayed, "displayed", "impression"},
		{storage.Clicked, "clicked", "click"},
		{storage.Failed, "delivered_failed", "delivered_failed"},
		{storage.MilestoneUnknown, "plan", "plan"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			e, p := clickedEvent(), promotion()
			e.Milestone, e.Status = tc.milestone, tc.status
			require.Equal(t, tc.want, parsed(t, webhook.AppendRow(nil, &e, &p)).Status.MessageStatus)
		})
	}
}

func TestAFailureSaysWhy(t *testing.T) {
	e, p := clickedEvent(), promotion()
	e.Milestone, e.Status = storage.Failed, "sent_failed"
	e.ErrorCode, e.ErrorMessage, e.LossSource = -30001, "token \"x\"\nexpired", "vivo"
	status := parsed(t, webhook.AppendRow(nil, &e, &p)).Status
	require.Equal(t, "sent_failed", status.MessageStatus)
	require.Equal(t, -30001, status.ErrorCode)
	require.Equal(t, "token \"x\"\nexpired", status.ErrorDetail.Message)
	require.Equal(t, "vivo", status.Loss.LossSource)
}

func TestCustomArgsAreAsThePushHadThem(t *testing.T) {
	for given, want := range map[string]string{
		`"a string"`:                     `"a string"`,
		"{\n \"b\": 1e400, \"a\": 0.10}": "{\n \"b\": 1e400, \"a\": 0.10}",
		``:                               `{}`,
		"\"not \xff UTF-8\"":             `"not ` + "\ufffd" + ` UTF-8"`,
	} {
		e, p := clickedEvent(), subscription.Push{CustomArgsAs: json.RawMessage(given)}
		row := webhook.AppendRow(nil, &e, &p)
		require.Contains(t, string(row), `"custom_args":`+want+`,`)
		require.True(t, json.Valid(row) && utf8.Valid(row), "%s", row)
	}
}

func TestStatusDataIsPassedOnWhereTheRowWasKept(t *testing.T) {
	for raw, want := range map[string]string{
		`{"status":{"message_status":"plan","status_data":{"id": "wamid.1"}}}`: `{"id": "wamid.1"}`,
		`{"status":{"status_data":{"id": "wamid.1"}`:                           `{}`, // cut off
		`{"status":{"status_data":"text"}}`:                                    `{}`,
		`{"status":{"status_data":null}}`:                                      `{}`,
		`{"status":{}}`:                                                        `{}`,
		`{"status":"plan"}`:                                                    `{}`,
		`[]`:                                                                   `{}`,
	} {
		e, p := clickedEvent(), promotion()
		e.Raw = []byte(raw)
		require.Contains(t, string(webhook.AppendRow(nil, &e, &p)), `"status_data":`+want+`,`, raw)
	}
}

// parsed reads one row as the business does.
func parsed(t *testing.T, row []byte) engagelab.CallbackRow {
	t.Helper()
	var got engagelab.CallbackRow
	require.NoError(t, json.Unmarshal(row, &got), "%s", row)
	return got
}

func TestADocumentReadsAsEngageLabsCallbacks(t *testing.T) {
	e, p := clickedEvent(), promotion()
	rows := [][]byte{webhook.AppendRow(nil, &e, &p), nil, nil}
	e.RegistrationID = "another"
	rows[1] = webhook.AppendRow(nil, &e, &p)
	rows[2] = rows[0]
	document := webhook.Document(subscription.EngageLab, rows, time.Time{})
	batch, err := engagelab.ParseCallbacks(document)
	require.NoError(t, err)
	require.Equal(t, 3, batch.Total)
	require.Len(t, batch.Rows, 3)
	require.Equal(t, "another", batch.Rows[1].To)
	require.Equal(t, "1911223344556677889", batch.Rows[2].MessageID)
	require.Equal(t, string(rows[1]), string(batch.Raw(1)))
}

func TestStandardWebhooksFormHasTheDocumentAsItsData(t *testing.T) {
	e, p := clickedEvent(), promotion()
	rows := [][]byte{webhook.AppendRow(nil, &e, &p)}
	now := time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.FixedZone("", 3600))
	var payload struct {
		Type, Timestamp string
		Data            json.RawMessage
	}
	require.NoError(t, json.Unmarshal(webhook.Document(subscription.StandardWebhooks, rows, now), &payload))
	require.Equal(t, "push.events", payload.Type)
	require.Equal(t, "2026-01-02T02:04:05.06Z", payload.Timestamp)
	require.Equal(t, string(webhook.Document(subscription.EngageLab, rows, now)), string(payload.Data))
}

func TestADocumentWithoutRows(t *testing.T) {
	require.JSONEq(t, `{"total":0,"rows":[]}`, string(webhook.Document(subscription.EngageLab, nil, time.Time{})))
}

func TestRowsAndDocumentsAllocateNoMoreThanTheirBytes(t *testing.T) {
	e, p := clickedEvent(), promotion()
	e.ErrorMessage = "quoted \"text\"\n"
	dst := make([]byte, 0, 4096)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst = webhook.AppendRow(dst[:0], &e, &p) }))
	rows := make([][]byte, 200)
	for i := range rows {
		rows[i] = dst
	}
	for _, format := range []subscription.Format{subscription.EngageLab, subscription.StandardWebhooks} {
		require.Equal(t, 1.0, testing.AllocsPerRun(10, func() { webhook.Document(format, rows, time.Unix(1, 1)) }))
	}
}

// Whatever the texts, a row is valid JSON, and what is read from it is what was put in.
func FuzzAppendRow(f *testing.F) {
	f.Add(int64(1), int64(2), 3, 4, "r", "status", "message \x00\"\\", "\u2028<&>", "\xff\xfe", "😀", `{"a":[1]}`, `{"status":{"status_data":{}}}`)
	f.Add(int64(-1), int64(0), -1, 1<<40, "", "", "", "", "", "", `"s"`, "")
	f.Fuzz(func(t *testing.T, push, sequence int64, step, code int, rid, status, message, channel, from, upstream, args, raw string) {
		e := storage.Event{PushID: push, Sequence: sequence, Step: step, Variant: channel, Callback: storage.Callback{
			RegistrationID: rid, Status: status, ErrorMessage: message, Channel: channel, LossSource: from, ErrorCode: code,
			UpstreamID: upstream, Time: time.Unix(sequence, 0), Raw: []byte(raw),
		}}
		p := subscription.Push{From: from}
		if json.Valid([]byte(args)) {
			p.CustomArgsAs = json.RawMessage(args)
		}
		row := webhook.AppendRow(nil, &e, &p)
		require.True(t, json.Valid(row) && utf8.Valid(row), "%q", row)
		body := webhook.Document(subscription.EngageLab, [][]byte{row, row}, time.Time{})
		batch, err := engagelab.ParseCallbacks(body)
		require.NoError(t, err)
		require.Len(t, batch.Rows, 2)
		got := batch.Rows[1]
		clean := func(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
		require.Equal(t, strconv.FormatInt(push, 10), got.MessageID)
		require.Equal(t, []string{clean(rid), clean(status), clean(message), clean(channel), clean(from)},
			[]string{got.To, got.Status.MessageStatus, got.Status.ErrorDetail.Message, got.Channel, got.Status.Loss.LossSource})
		require.Equal(t, []int64{sequence, int64(code)}, []int64{got.ITime, int64(got.Status.ErrorCode)})
		var also struct {
			From  string
			Susul struct {
				EventID  string `json:"event_id"`
				Step     int
				Variant  string
				Upstream string `json:"upstream_id"`
			}
		}
		require.NoError(t, json.Unmarshal(row, &also))
		require.Equal(t, clean(from), also.From)
		require.Equal(t, strconv.FormatInt(sequence, 10), also.Susul.EventID)
		require.Equal(t, step, also.Susul.Step)
		require.Equal(t, []string{clean(channel), clean(upstream)}, []string{also.Susul.Variant, also.Susul.Upstream})
	})
}

func BenchmarkAppendRow(b *testing.B) {
	e, p := clickedEvent(), promotion()
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = webhook.AppendRow(dst[:0], &e, &p)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDocument(b *testing.B) {
	e, p := clickedEvent(), promotion()
	rows := make([][]byte, 200)
	for i := range rows {
		rows[i] = webhook.AppendRow(nil, &e, &p)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(webhook.Document(subscription.EngageLab, rows, time.Time{}))))
	}
}
