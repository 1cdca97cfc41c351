package sqlite

import (
	"database/sql"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/storage"
)

// inspected are two pushes, one with packed ids and one with ids of another shape, a follow-up of the former, a failure, an
// unknown status, and held callbacks. What late records is not folded.
type inspected struct {
	store    *Store
	path     string
	first    map[int]string // upstream ids of push 1 by chunk
	followUp string
	texts    string
}

const inspectedRecipients = 1450

var inspectedTime = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

func newInspected(t *testing.T) *inspected {
	t.Helper()
	in := &inspected{path: emptyFile(t, "susul.db")}
	var err error
	in.store, err = Open(t.Context(), Options{Path: in.path, foldPause: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, in.store.Close()) })

	draft := listedDraft(1, inspectedRecipients)
	draft.Steps = []storage.StepDraft{{Number: 1, Offset: time.Minute}}
	_, _, err = in.store.CreatePush(t.Context(), draft)
	require.NoError(t, err)
	in.first = sendAll(t, in.store)
	require.NoError(t, in.store.PlanStep(t.Context(), storage.StepPlan{PushID: 1, Step: 1, Through: inspectedRecipients, Done: true,
		Dispatches: []storage.DispatchDraft{{DueTime: inspectedTime, Recipients: []uint32{1, 2, 3, 700}}}}))
	in.followUp = sendAll(t, in.store)[0]
	_, _, err = in.store.CreatePush(t.Context(), storage.PushDraft{
		Push:       storage.Push{ID: 2, App: benchApp, Listed: true, CreateTime: inspectedTime},
		Recipients: []string{"a", "device two", benchID(3)},
		Dispatches: []storage.DispatchDraft{{DueTime: inspectedTime, Recipients: []uint32{0, 1, 2}}},
	})
	require.NoError(t, err)
	in.texts = sendAll(t, in.store)[0]
	return in
}

func (in *inspected) record(t *testing.T, upstream, id, status string, m storage.Milestone) {
	t.Helper()
	_, err := in.store.RecordCallbacks(t.Context(), benchApp, inspectedTime.Add(time.Minute), []storage.Callback{{UpstreamID: upstream,
		RegistrationID: id, Status: status, Milestone: m, Time: inspectedTime, Raw: []byte(`{"status":"` + status + `"}`)}})
	require.NoError(t, err)
}

// early records what is folded: the first fold comes with the writes that follow, the next one in an hour.
func (in *inspected) early(t *testing.T) {
	t.Helper()
	in.record(t, in.first[0], benchID(1), "delivered", storage.Delivered)
	for folded := int64(0); folded == 0; {
		require.NoError(t, in.store.Ping(t.Context()))
		require.NoError(t, in.store.readers.QueryRow(`SELECT sequence FROM fold`).Scan(&folded))
	}
}

func (in *inspected) late(t *testing.T) {
	t.Helper()
	in.record(t, in.followUp, benchID(1), "click", storage.Clicked)
	in.record(t, in.followUp, benchID(700), "target_invalid", storage.Failed)
	in.record(t, in.first[1], benchID(1449), "melted", storage.MilestoneUnknown)
	in.record(t, in.texts, "device two", "sent", storage.Sent)
	in.record(t, in.texts, "stranger", "sent", storage.Sent)
	in.record(t, "unheard of", "a", "sent", storage.Sent)
}

// inspector opens a file that the test's end closes.
func inspector(t *testing.T, path string) *Inspector {
	t.Helper()
	i, err := OpenInspector(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i
}

func all[T any](t *testing.T, rows iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for row, err := range rows {
		require.NoError(t, err)
		list = append(list, row)
	}
	return list
}

func TestInspectorShowsProgressAsFoldedAndAsItIs(t *testing.T) {
	in := newInspected(t)
	in.early(t)
	in.late(t)
	i := inspector(t, in.path)
	list := all(t, i.Recipients(t.Context(), 1, 0, 0))
	require.Len(t, list, inspectedRecipients)
	known, err := in.store.ScanRecipients(t.Context(), 1, 0, storage.MaxPage)
	require.NoError(t, err)
	for at, r := range list {
		require.Equal(t, RecipientContent{Ordinal: uint32(at), RegistrationID: benchID(at), Folded: r.Folded,
			Now: milestonesOf(known[at].Progress)}, r)
	}
	require.Equal(t, []StepMilestones{{0, []string{"DELIVERED"}}}, list[1].Folded)
	require.Equal(t, []StepMilestones{{0, []string{"DELIVERED"}}, {1, []string{"CLICKED"}}}, list[1].Now)
	require.Empty(t, list[700].Folded)
	require.Equal(t, []StepMilestones{{1, []string{"FAILED"}}}, list[700].Now)

	require.Equal(t, list[405:415], all(t, i.Recipients(t.Context(), 1, 405, 10)))
	require.Equal(t, list[1440:], all(t, i.Recipients(t.Context(), 1, 1440, 0)))
	require.Empty(t, all(t, i.Recipients(t.Context(), 1, inspectedRecipients, 0)))
	texts := all(t, i.Recipients(t.Context(), 2, 0, 0))
	require.Equal(t, "device two", texts[1].RegistrationID)
	require.Equal(t, []StepMilestones{{0, []string{"SENT"}}}, texts[1].Now)
}

func TestInspectorShowsThePush(t *testing.T) {
	in := newInspected(t)
	in.early(t)
	in.late(t)
	i := inspector(t, in.path)
	push, err := i.Push(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, inspectedRecipients, push.Recipients)
	require.Len(t, push.Steps, 2)
	require.Equal(t, 1, push.Steps[0].Counters.Delivered)
	require.Equal(t, Funnel{Targets: 4, Sent: 1, Delivered: 1, Displayed: 1, Clicked: 1, Failed: 1}, push.Steps[1].Counters)
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchSent: 1}, push.Steps[1].Dispatches)
	require.Equal(t, Funnel{Targets: inspectedRecipients, Sent: 1, Delivered: 1, Displayed: 1, Clicked: 1, Failed: 1}, push.Total)
	require.Contains(t, push.Parts, PartSize{Table: "recipient_page", Rows: 4, Bytes: 4 + 10*inspectedRecipients})

	dispatches := all(t, i.Dispatches(t.Context(), 1, 0))
	require.Len(t, dispatches, 3)
	require.Equal(t, [][2]uint32{{1000, 1449}}, dispatches[1].Recipients)
	require.Equal(t, [][2]uint32{{1, 3}, {700, 700}}, dispatches[2].Recipients)
	require.Len(t, all(t, i.Dispatches(t.Context(), 1, 2)), 2)

	_, err = i.Push(t.Context(), 3)
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Empty(t, all(t, i.Recipients(t.Context(), 3, 0, 0)))
}

func TestInspectorShowsTheLog(t *testing.T) {
	in := newInspected(t)
	in.early(t)
	in.late(t)
	i := inspector(t, in.path)
	for name, query := range map[string]storage.EventQuery{
		"all": {}, "of a push": {PushID: 1}, "of a device": {PushID: 1, RegistrationID: benchID(1)},
		"of another's": {RegistrationID: "device two"}, "later": {After: 2}, "later of a push": {PushID: 1, After: 2}, "of nobody": {RegistrationID: "nobody"},
	} {
		want, err := in.store.ListEvents(t.Context(), query)
		require.NoError(t, err)
		var got []storage.Event
		for _, e := range all(t, i.Events(t.Context(), LogQuery{PushID: query.PushID, RegistrationID: query.RegistrationID, After: query.After})) {
			require.Empty(t, e.Damage)
			var raw []byte
			if e.Raw != "" {
				raw = []byte(e.Raw)
			}
			m := storage.MilestoneUnknown
			for m.String() != e.Milestone {
				m++
			}
			got = append(got, storage.Event{Sequence: e.Sequence, App: e.App, PushID: e.MsgID, Step: e.Step, ReceiveTime: e.ReceiveTime,
				Callback: storage.Callback{UpstreamID: e.UpstreamID, RegistrationID: e.RegistrationID, Milestone: m, Status: e.Status,
					Time: e.Time, Raw: raw}})
		}
		require.Equal(t, want, got, name)
	}
	require.Len(t, all(t, i.Events(t.Context(), LogQuery{Limit: 2})), 2)
	require.Len(t, all(t, i.Events(t.Context(), LogQuery{RegistrationID: benchID(1), Limit: 1})), 1)

	segments := all(t, i.Segments(t.Context(), LogQuery{}))
	require.Len(t, segments, 5)
	require.Equal(t, SegmentContent{Sequence: 3, MsgID: 1, App: benchApp, Events: 1, Low: 700, High: 700, FirstTime: inspectedTime,
		LastTime: inspectedTime, ReceiveTime: inspectedTime.Add(time.Minute), Dispatches: []SegmentDispatch{{3, 1}}, Bytes: 20}, segments[2])
	require.Equal(t, segments[4:], all(t, i.Segments(t.Context(), LogQuery{PushID: 2})))
	require.Equal(t, segments[:4], all(t, i.Segments(t.Context(), LogQuery{PushID: 1})))
	require.Equal(t, segments[2:4], all(t, i.Segments(t.Context(), LogQuery{After: 2, Limit: 2})))
}

func TestInspectorsOverview(t *testing.T) {
	in := newInspected(t)
	in.early(t)
	in.late(t)
	o, err := inspector(t, in.path).Overview(t.Context())
	require.NoError(t, err)
	require.Equal(t, LogOverview{FirstSequence: 1, LastSequence: 5, Segments: 5, Events: 5, FoldedThrough: 1, Unfolded: 4}, o.Log)
	require.Equal(t, []PushCount{{storage.PushActive, 2}}, o.Pushes)
	require.Equal(t, []HeldRows{{benchApp, storage.HoldUnknownMessage, 1}, {benchApp, storage.HoldUnknownRecipient, 1}}, o.Held)
	require.EqualValues(t, inspectedRecipients+3, o.Recipients)
	require.Positive(t, o.WALBytes)
	require.Positive(t, o.Bytes.Event)
	require.Positive(t, o.Bytes.Recipient)
	for _, table := range o.Tables {
		var n int64
		require.NoError(t, in.store.readers.QueryRow(`SELECT COUNT(*) FROM `+table.Table).Scan(&n))
		require.Equal(t, n, table.Rows, table.Table)
		require.Positive(t, table.Bytes, table.Table)
	}
}

// TestTablesAreCountedByTheirPages has tables with inner pages, with and without rowids.
func TestTablesAreCountedByTheirPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	s := open(t, path)
	_, err := write(t.Context(), s, func(t *tx) (int64, error) {
		n, err := t.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
			INSERT INTO counter SELECT i, 0, 0, 0, 0, 0, 0 FROM n`)
		if err != nil {
			return n, err
		}
		return t.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
			INSERT INTO progress_page SELECT i, 0, x'0100' FROM n`)
	})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	o, err := inspector(t, path).Overview(t.Context())
	require.NoError(t, err)
	rows := map[string]int64{}
	for _, table := range o.Tables {
		rows[table.Table] = table.Rows
	}
	require.EqualValues(t, 30000, rows["counter"])
	require.EqualValues(t, 30000, rows["progress_page"])
	require.Zero(t, o.Bytes.Event)
}

func TestInspectorTellsDamageInItsPlace(t *testing.T) {
	in := newInspected(t)
	in.early(t)
	in.late(t)
	_, err := write(t.Context(), in.store, func(t *tx) (n int64, err error) {
		for _, damage := range []string{
			`UPDATE segment SET body = x'0900' WHERE sequence = 2`,
			`UPDATE segment SET body = x'0100' WHERE sequence = 3`, // it has no events
			`DELETE FROM event_detail`,
			`UPDATE recipient_page SET ids = x'' WHERE push_id = 1 AND page = 1`,
			`DELETE FROM recipient_page WHERE push_id = 1 AND page = 2`,
			`UPDATE progress_page SET words = x'01' WHERE push_id = 1 AND page = 0`,
			`UPDATE dispatch SET recipients = x'07' WHERE id = 1`,
			`INSERT INTO mark VALUES (1, 0, 'odd', x'ff')`,
		} {
			if n, err = t.exec(damage); err != nil {
				return n, err
			}
		}
		return n, nil
	})
	require.NoError(t, err)
	i := inspector(t, in.path)

	segments := all(t, i.Segments(t.Context(), LogQuery{}))
	require.Len(t, segments, 5)
	require.Contains(t, segments[1].Damage, "version")
	require.EqualValues(t, 1, segments[1].MsgID)
	require.Contains(t, segments[2].Damage, "length")
	for _, at := range []int{0, 3, 4} {
		require.Empty(t, segments[at].Damage)
	}

	events := all(t, i.Events(t.Context(), LogQuery{}))
	require.Len(t, events, 5)
	require.Empty(t, events[0].Damage)
	require.Contains(t, events[1].Damage, "1 events: ")
	require.Contains(t, events[2].Damage, "1 events: ")
	require.EqualValues(t, 4, events[3].Sequence)
	require.NotEmpty(t, events[3].Damage, "its details are gone")
	require.Equal(t, "device two", events[4].RegistrationID)

	list := all(t, i.Recipients(t.Context(), 1, 0, 0))
	require.Len(t, list, 3+400+1+1+250)
	require.Contains(t, list[0].Damage, "segment 2: ")
	require.Contains(t, list[1].Damage, "segment 3: ")
	require.Contains(t, list[2].Damage, "segment 4: ")
	list = list[2:]
	require.Equal(t, benchID(0), list[1].RegistrationID)
	require.Contains(t, list[1].Damage, "progress_page 0: ")
	require.Contains(t, list[401].Damage, "recipient_page 1: ")
	require.Contains(t, list[402].Damage, "recipient_page has no row 2")
	require.Equal(t, RecipientContent{Ordinal: 1200, RegistrationID: benchID(1200), Folded: []StepMilestones{}, Now: []StepMilestones{}}, list[403])

	dispatches := all(t, i.Dispatches(t.Context(), 1, 0))
	require.Contains(t, dispatches[0].Damage, "list of ordinals")
	require.Equal(t, in.first[0], dispatches[0].UpstreamID)
	require.Empty(t, dispatches[1].Damage)
	push, err := i.Push(t.Context(), 1)
	require.NoError(t, err)
	require.NotEmpty(t, push.Marks[0].Damage)
	device := all(t, i.Events(t.Context(), LogQuery{PushID: 1, RegistrationID: benchID(1400)}))
	require.Len(t, device, 1)
	require.Contains(t, device[0].Damage, "page of recipients")
}

// TestInspectorLeavesTheFolderAsItIs inspects a file that was closed, and one whose server was killed.
func TestInspectorLeavesTheFolderAsItIs(t *testing.T) {
	in := newInspected(t)
	in.early(t)
	in.late(t)
	folder := t.TempDir()
	for _, end := range []string{"", "-wal"} {
		content, err := os.ReadFile(in.path + end)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "killed.db"+end), content, 0o600))
	}
	closed := filepath.Join(folder, "closed.db")
	require.NoError(t, open(t, closed).Close())

	files := func() map[string]string {
		found := map[string]string{}
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		for _, entry := range entries {
			content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			require.NoError(t, err)
			found[entry.Name()] = string(content)
		}
		return found
	}
	before := files()
	for path, events := range map[string]int64{closed: 0, filepath.Join(folder, "killed.db"): 5} {
		i, err := OpenInspector(t.Context(), path)
		require.NoError(t, err)
		o, err := i.Overview(t.Context())
		require.NoError(t, err)
		require.Equal(t, events, o.Log.Events)
		_, err = i.store.readers.Exec(`DELETE FROM push`)
		require.Error(t, err)
		require.NoError(t, i.Close())
	}
	after := files()
	delete(after, "killed.db-shm") // SQLite's index of the write-ahead log, without which that can't be read
	require.Equal(t, before, after)
}

func TestInspectorTellsWhenAServerCame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "susul.db")
	require.NoError(t, open(t, path).Close())
	i, err := OpenInspector(t.Context(), path)
	require.NoError(t, err)
	s := open(t, path)
	require.ErrorIs(t, i.Close(), errChanged)
	require.NoError(t, s.Close())
}

func TestInspectorRefusesWhatItCannotRead(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	made := func(name string, statements ...string) string {
		path := filepath.Join(folder, name)
		db, err := sql.Open("sqlite", path)
		require.NoError(t, err)
		for _, statement := range statements {
			_, err := db.Exec(statement)
			require.NoError(t, err)
		}
		require.NoError(t, db.Close())
		return path
	}
	version := func(name, change string) string {
		require.NoError(t, open(t, filepath.Join(folder, name)).Close())
		return made(name, change)
	}
	for path, want := range map[string]error{
		filepath.Join(folder, "missing"):              fs.ErrNotExist,
		filepath.Join(folder, "no folder", "missing"): fs.ErrNotExist,
		folder:            ErrNoDatabase,
		file("empty", ""): ErrNoDatabase,
		file("text", "It was a dark and stormy night; the rain fell in torrents. "+folder):                                 ErrNoDatabase,
		made("other", `CREATE TABLE t (i)`):                                                                                ErrNoDatabase,
		version("older", `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`): ErrSchemaTooOld,
		version("newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`):                         ErrSchemaTooNew,
	} {
		_, err := OpenInspector(t.Context(), path)
		require.ErrorIs(t, err, want, path)
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 5, "nothing was made or left")
}

// TestInspectorBesideAWriter reads everything, over and over, while callbacks come in and are folded.
func TestInspectorBesideAWriter(t *testing.T) {
	t.Parallel()
	const recipients, batch = 2000, 100
	path := filepath.Join(t.TempDir(), "susul.db")
	s, err := Open(t.Context(), Options{Path: path, foldPause: time.Millisecond})
	require.NoError(t, err)
	createListed(t, s, 1, recipients)
	upstreams := sendAll(t, s)
	i := inspector(t, path)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var writing sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() {
		defer close(done)
		for m := storage.Sent; m <= storage.Clicked; m++ {
			for at := 0; at < recipients; at += batch {
				var rows []storage.Callback
				for n := at; n < at+batch; n++ {
					rows = append(rows, storage.Callback{UpstreamID: upstreams[n/1000], RegistrationID: benchID(n), Milestone: m,
						Status: m.String(), Time: inspectedTime})
				}
				if _, err := s.RecordCallbacks(t.Context(), benchApp, inspectedTime, rows); err != nil {
					t.Error(err)
				}
			}
		}
	})
	look := func() (now int) {
		before, err := s.LastSequence(t.Context())
		require.NoError(t, err)
		for _, r := range all(t, i.Recipients(t.Context(), 1, 0, 0)) {
			require.Empty(t, r.Damage)
			for _, step := range r.Now {
				now += len(step.Milestones)
			}
		}
		require.GreaterOrEqual(t, int64(now), before, "nothing of the log is missed, wherever the fold is")
		last := int64(0)
		for _, e := range all(t, i.Events(t.Context(), LogQuery{PushID: 1})) {
			require.Empty(t, e.Damage)
			require.Equal(t, last+1, e.Sequence)
			last = e.Sequence
		}
		require.GreaterOrEqual(t, last, before)
		_, err = i.Overview(t.Context())
		require.NoError(t, err)
		return now
	}
	for writes := true; writes; {
		look()
		select {
		case <-done:
			writes = false
		default:
		}
	}
	writing.Wait()
	require.Equal(t, 4*recipients, look())
}
