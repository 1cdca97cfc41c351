package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/sqlite"
)

// inspectOf runs `susul inspect` in this process.
func inspectOf(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newCommand()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"inspect"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// smallDatabase has one push of three recipients, one of whom clicked a follow-up, and a status with a name that a terminal
// would obey.
func smallDatabase(t *testing.T, path string) {
	t.Helper()
	at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	_, _, err = s.CreatePush(t.Context(), storage.PushDraft{
		Push:       storage.Push{ID: 7, App: "demo", RequestID: "r", Listed: true, CreateTime: at},
		Recipients: []string{"1507bfd3f9e0a1b2c3d", "b", "c"},
		Dispatches: []storage.DispatchDraft{{DueTime: at}},
		Steps:      []storage.StepDraft{{Number: 1, Offset: time.Hour}},
	})
	require.NoError(t, err)
	send := func(upstream string, at time.Time) {
		claims, err := s.ClaimDispatches(t.Context(), storage.ClaimRequest{App: "demo", Now: at, Lease: time.Minute, Limit: 1})
		require.NoError(t, err)
		require.Len(t, claims, 1)
		_, err = s.FinishDispatch(t.Context(), storage.DispatchResult{ID: claims[0].Dispatch.ID, Attempt: claims[0].Dispatch.Attempt,
			State: storage.DispatchSent, Time: at, UpstreamID: upstream})
		require.NoError(t, err)
	}
	send("m0", at)
	require.NoError(t, s.PlanStep(t.Context(), storage.StepPlan{PushID: 7, Step: 1, Through: 3, Done: true,
		Dispatches:  []storage.DispatchDraft{{DueTime: at.Add(time.Hour), Recipients: []uint32{0, 2}, Variant: "b"}},
		MeasureTime: at.Add(2 * time.Hour),
		PassedOver:  storage.PassedOver{storage.ReasonMilestoneReached: {1}}}))
	send("m1", at.Add(time.Hour))
	_, err = s.RecordCallbacks(t.Context(), "demo", at.Add(2*time.Hour), []storage.Callback{
		{UpstreamID: "m0", RegistrationID: "b", Status: "displayed", Milestone: storage.Displayed, Time: at.Add(time.Minute), Channel: "FCM"},
		{UpstreamID: "m1", RegistrationID: "1507bfd3f9e0a1b2c3d", Status: "click", Milestone: storage.Clicked, Time: at.Add(2 * time.Hour)},
		{UpstreamID: "m1", RegistrationID: "c", Status: "\x1b[2J", Time: at.Add(2 * time.Hour), Raw: []byte("{}")},
	})
	require.NoError(t, err)
	key := storage.RelayEndpointKey{App: "demo", ID: "url-1"}
	require.NoError(t, s.SaveRelay(t.Context(), storage.RelayChange{Head: 3, Endpoints: []storage.RelayEndpoint{
		{RelayEndpointKey: key, URL: "https://example.com/hook", State: storage.RelayActive, Cursor: 2, LastSpan: 1, Failures: 1, FailingSince: at,
			NextAttempt: at.Add(time.Minute), LastError: "503 \x1b[2J", LastErrorTime: at, Attempts: 4, Failed: 1, Delivered: 9, CreateTime: at},
		{RelayEndpointKey: storage.RelayEndpointKey{App: "demo", ID: "sub-coupons"}, UID: "u1", State: storage.RelayPaused},
	}, Spans: []storage.RelaySpan{{RelayEndpointKey: key, ID: 1, Kind: storage.SpanDead, PushID: 7, Next: 1, Last: 1, Events: 1, Failures: 3,
		FailingSince: at, LastError: "timeout", CreateTime: at}}}))
	require.NoError(t, s.Close())
}

// trimmed is a text without what aligns its lines.
func trimmed(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}

func TestInspectShowsASmallDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	smallDatabase(t, path)
	for args, want := range map[string]string{
		"push 7 --dispatches --recipients": `push 7 of demo
state ACTIVE
created 2026-07-01T08:00:00Z
first sent 2026-07-01T08:00:00Z
request_id r
policy -
recipients 3 (listed: true, external: false)
document 0 bytes

STEP STATE DUE HELD MEASURED TARGETS SENT DELIVERED DISPLAYED CLICKED FAILED DISPATCHES PASSED OVER
0 PLANNED - - - 3 1 1 1 0 0 SENT: 1
1 PLANNED 2026-07-01T09:00:00Z - 2026-07-01T10:00:00Z 2 1 1 1 1 0 SENT: 1 MILESTONE_REACHED: 1
all 3 2 2 2 1 0

TABLE ROWS PACKED BYTES
recipient_page 1 26
member_bucket 0 0
progress_page 1 6
dispatch 2 5
decision 1 3
batch 0 0
batch_result 0 0

MARK: STEP STATUS RECIPIENTS BYTES
1 "\x1b[2J" 1 18

DISPATCH STEP CHUNK STATE ATTEMPT UPSTREAM ID SENT VARIANT SINGLES ORDINALS
1 0 0 SENT 1 m0 2026-07-01T08:00:00Z - - all
2 1 0 SENT 1 m1 2026-07-01T09:00:00Z b - 0..0 2..2

ORDINAL REGISTRATION ID FOLDED NOW
0 1507bfd3f9e0a1b2c3d 1:CLICKED 1:CLICKED
1 b 0:DISPLAYED 0:DISPLAYED
2 c - -`,
		"segments": `SEQUENCE MSG_ID APP EVENTS ORDINALS FIRST LAST RECEIVED STEP/DISPATCH BYTES
1 7 demo 3 0..2 2026-07-01T08:01:00Z 2026-07-01T10:00:00Z 2026-07-01T10:00:00Z 1/2,0/1 54`,
		"events --push 7": `SEQUENCE MSG_ID APP STEP/DISPATCH UPSTREAM ID ORDINAL REGISTRATION ID MILESTONE STATUS TIME RECEIVED DETAILS
1 7 demo 1/2 m1 0 1507bfd3f9e0a1b2c3d CLICKED click 2026-07-01T10:00:00Z 2026-07-01T10:00:00Z variant=b
2 7 demo 0/1 m0 1 b DISPLAYED displayed 2026-07-01T08:01:00Z 2026-07-01T10:00:00Z channel=FCM
3 7 demo 1/2 m1 2 c UNKNOWN "\x1b[2J" 2026-07-01T10:00:00Z 2026-07-01T10:00:00Z variant=b raw={}`,
		"events --registration-id b --limit 0": `SEQUENCE MSG_ID APP STEP/DISPATCH UPSTREAM ID ORDINAL REGISTRATION ID MILESTONE STATUS TIME RECEIVED DETAILS
2 7 demo 0/1 m0 1 b DISPLAYED displayed 2026-07-01T08:01:00Z 2026-07-01T10:00:00Z channel=FCM`,
		"events --after 3": "SEQUENCE MSG_ID APP STEP/DISPATCH UPSTREAM ID ORDINAL REGISTRATION ID MILESTONE STATUS TIME RECEIVED DETAILS",
		"relay --spans": `APP ENDPOINT STATE CURSOR ATTEMPTS FAILED DELIVERED LAST SUCCESS FAILURES SINCE NEXT ATTEMPT LAST ERROR AT URL UID CREATED
demo sub-coupons PAUSED 0 0 0 0 - 0 - - - - - u1 -
demo url-1 ACTIVE 2 4 1 9 - 1 2026-07-01T08:00:00Z 2026-07-01T08:01:00Z "503 \x1b[2J" 2026-07-01T08:00:00Z https://example.com/hook - 2026-07-01T08:00:00Z

APP ENDPOINT SPAN KIND MSG_ID NEXT LAST FROM UNTIL EVENTS FAILURES SINCE NEXT ATTEMPT LAST ERROR CREATED
demo url-1 1 DEAD 7 1 1 - - 1 3 2026-07-01T08:00:00Z - timeout 2026-07-01T08:00:00Z`,
	} {
		out, err := inspectOf(t, append(strings.Fields(args), "--dsn", path)...)
		require.NoError(t, err)
		require.Equal(t, want, trimmed(out), args)
	}
	overview, err := inspectOf(t, "--dsn", path)
	require.NoError(t, err)
	for _, line := range []string{"log sequences 1..3: 3 events in 1 segments", "fold through sequence 3; 0 events are not folded yet",
		"pushes ACTIVE: 1", "recipients 3", "segment 1 ",
		"relay through sequence 3", "endpoints ACTIVE: 1", "spans DEAD: 1"} {
		require.Contains(t, trimmed(overview), line)
	}
}

func TestInspectPrintsLinesOfJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	smallDatabase(t, path)
	for args, lines := range map[string]int{
		"": 1, "push 7": 1, "push 7 --recipients": 4, "push 7 --recipients --from 1 --limit 1": 2, "push 7 --dispatches": 3, "segments": 1, "events": 3,
		"relay": 2, "relay --spans": 3, "relay --spans --limit 1": 2,
	} {
		out, err := inspectOf(t, append(strings.Fields(args), "--json", "--dsn", path)...)
		require.NoError(t, err)
		got := strings.Split(strings.TrimSpace(out), "\n")
		require.Len(t, got, lines, args)
		for _, line := range got {
			require.NoError(t, json.Unmarshal([]byte(line), &map[string]any{}))
		}
	}
	out, err := inspectOf(t, "events", "--json", "--limit", "1", "--dsn", path)
	require.NoError(t, err)
	require.JSONEq(t, `{"sequence":1,"msg_id":"7","app":"demo","step":1,"dispatch":2,"upstream_id":"m1","ordinal":0,
		"variant":"b","registration_id":"1507bfd3f9e0a1b2c3d","milestone":"CLICKED","status":"click","time":"2026-07-01T10:00:00Z",
		"receive_time":"2026-07-01T10:00:00Z"}`, out)
}

func TestInspectFindsTheDatabaseOfTheConfiguration(t *testing.T) {
	settings := baseSettings(t.TempDir(), "http://127.0.0.1:1")
	data := t.TempDir()
	settings["data_dir"] = data
	smallDatabase(t, filepath.Join(data, "susul.db"))
	out, err := inspectOf(t, "segments", "--config", writeSettings(t, settings))
	require.NoError(t, err)
	require.Contains(t, out, "demo")
}

func TestInspectSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "susul.db")
	smallDatabase(t, path)
	text := filepath.Join(folder, "text")
	require.NoError(t, os.WriteFile(text, bytes.Repeat([]byte("no database "), 100), 0o600))
	for args, want := range map[string]string{
		"--dsn " + path + ".missing":               "no such file",
		"--dsn " + text:                            "is no database of Susul's",
		"push --dsn " + path:                       "accepts 1 arg(s)",
		"push 0 --dsn " + path:                     `"0" is no msg_id`,
		"push seven --recipients --dsn " + path:    `"seven" is no msg_id`,
		"push 8 --dsn " + path:                     "there is no push 8",
		"events --push x --dsn " + path:            `"x" is no msg_id`,
		"segments --after -1 --dsn " + path:        "--after must not be negative",
		"segments --limit -1 --dsn " + path:        `invalid argument "-1"`,
		"events --dsn " + path + " --config other": "none of the others can be",
		"pushes --dsn " + path:                     `unknown command "pushes"`,
		fmt.Sprintf("--config %s.yaml", path):      "or name the database with --dsn",
	} {
		_, err := inspectOf(t, strings.Fields(args)...)
		require.ErrorContains(t, err, want, args)
	}
}

func TestInspectSaysWhatToUseWithPostgreSQL(t *testing.T) {
	t.Parallel()
	settings := baseSettings(t.TempDir(), "http://127.0.0.1:1")
	settings["storage"] = map[string]any{"driver": "postgres", "dsn": "postgres://susul:hunter2@127.0.0.1:1/susul"}
	for _, args := range [][]string{
		{"inspect", "--config", writeSettings(t, settings)},
		{"inspect", "--dsn", "postgres://susul:hunter2@127.0.0.1:1/susul"},
	} {
		p := launch(t, nil, args...)
		require.Equal(t, 1, p.exitCode(t, patience))
		require.Contains(t, p.stderr.String(), "psql")
		require.NotContains(t, p.stderr.String(), "hunter2")
	}
}
