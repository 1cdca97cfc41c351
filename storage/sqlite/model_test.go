package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/layout"
)

// machine is a store, and what it must hold in a few maps. Its listed push 1 and its open push 2 are spread over pages.
type machine struct {
	t       *testing.T
	path    string
	store   *Store
	term    int64
	members map[int]map[string]bool             // by push
	words   map[int]map[string]storage.Progress // likewise
	events  map[string]bool

	// Of the batch of single messages that is step 1 of push 1, by ordinal: those that have a result, and what was reported
	// for those that have none.
	settled map[uint32]bool
	held    map[string][]storage.Callback
	claimed time.Duration // how far ahead the latest claim was made

	deaths map[string]int64 // the latest of each device, in seconds
	lives  map[string]int64 // likewise, the latest reports of life
}

// modelDevices are recipients of the listed push, on a few pages; the last is nobody's.
var modelDevices = []int{0, 1, 399, 400, 1199, 1200}

func singleID(ordinal uint32) string { return fmt.Sprint("17000000000000", ordinal) }

const modelTime = 1_800_000_000

func eventKey(push, step int, c storage.Callback) string {
	name := c.Milestone.String()
	if c.Milestone == storage.Failed || c.Milestone == storage.MilestoneUnknown {
		name += " " + c.Status
	}
	return fmt.Sprint(push, " ", step, " ", c.RegistrationID, " ", name)
}

// TestStoreAgreesWithAModelThroughFailures fails batches, jobs, folds and commits, kills and reopens the store, leads anew,
// makes room and folds, in any order, and compares all that can be read with a model after each step.
func TestStoreAgreesWithAModelThroughFailures(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{t: t, path: emptyFile(t, "susul.db"), events: map[string]bool{},
			settled: map[uint32]bool{}, held: map[string][]storage.Callback{},
			deaths: map[string]int64{}, lives: map[string]int64{},
			members: map[int]map[string]bool{1: {}, 2: {}}, words: map[int]map[string]storage.Progress{1: {}, 2: {}}}
		m.open(rt)
		defer func() { require.NoError(rt, m.store.Close()) }()
		createListed(t, m.store, 1, 1200)
		createUnlisted(t, m.store, 2)
		for _, device := range modelDevices[:len(modelDevices)-1] {
			m.members[1][benchID(device)] = true
		}
		m.planBatch(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"record":        m.record,
			"settle":        m.settle,
			"fail a batch":  m.failBatch,
			"fail a commit": m.failCommit,
			"fail a fold":   m.failFold,
			"fold":          m.fold,
			"make room":     m.makeRoom,
			"lead":          m.lead,
			"revive":        m.revive,
			"kill":          m.kill,
			"close":         m.close,
			"":              m.check,
		})
	})
}

func (m *machine) open(rt *rapid.T) {
	// Nothing happens by itself: every fold and eviction is one of the machine's steps.
	s, err := Open(context.Background(), Options{Path: m.path, foldPause: time.Hour})
	require.NoError(rt, err)
	m.store = s
}

// batch draws rows, and what must come of them.
func (m *machine) batch(rt *rapid.T) (rows []storage.Callback, pushes []int) {
	for range rapid.IntRange(1, 10).Draw(rt, "rows") {
		push := rapid.IntRange(1, 2).Draw(rt, "push")
		milestone := storage.Milestone(rapid.IntRange(0, int(storage.Failed)).Draw(rt, "milestone"))
		// Dispatches are numbered through: the listed push has two.
		dispatch := 1
		if push == 2 {
			dispatch = 3
		}
		row := callback(dispatch, rapid.SampledFrom(modelDevices).Draw(rt, "device"), milestone)
		row.Status = fmt.Sprint(milestone, rapid.IntRange(0, 2).Draw(rt, "spelling"))
		if push == 1 && rapid.Bool().Draw(rt, "of a single message") {
			row.UpstreamID = singleID(rapid.SampledFrom(batchOrdinals).Draw(rt, "whose"))
		}
		row.Time = time.Unix(modelTime+rapid.Int64Range(0, 20).Draw(rt, "time"), 0)
		if rapid.IntRange(0, 9).Draw(rt, "odd time") == 0 {
			row.Time = time.Unix(-1, 0)
		}
		if milestone == storage.Failed && rapid.Bool().Draw(rt, "dead") {
			row.Invalidates = "UNREGISTERED"
		}
		rows, pushes = append(rows, row), append(pushes, push)
	}
	return rows, pushes
}

func (m *machine) apply(rows []storage.Callback, pushes []int) (want storage.CallbackSummary) {
	for i, row := range rows {
		push, step := pushes[i], 0
		if at := slices.IndexFunc(batchOrdinals, func(o uint32) bool { return singleID(o) == row.UpstreamID }); at >= 0 {
			if step = 1; !m.settled[batchOrdinals[at]] {
				m.held[row.UpstreamID] = append(m.held[row.UpstreamID], row)
				want.Held++
				continue
			}
		}
		switch m.applyTo(push, step, row) {
		case "held":
			want.Held++
		case "new":
			want.New++
		default:
			want.Repeated++
		}
	}
	return want
}

// applyTo applies a row whose step is known.
func (m *machine) applyTo(push, step int, row storage.Callback) string {
	if push == 1 && !m.members[1][row.RegistrationID] {
		return "held"
	}
	m.members[push][row.RegistrationID] = true
	m.words[push][row.RegistrationID] = m.words[push][row.RegistrationID].With(step, row.Milestone)
	key := eventKey(push, step, row)
	if m.events[key] {
		return "repeated"
	}
	m.events[key] = true
	switch {
	case row.Invalidates != "":
		note(m.deaths, row.RegistrationID, row.Time.Unix())
	case isLife(row.Milestone):
		note(m.lives, row.RegistrationID, row.Time.Unix())
	}
	return "new"
}

// batchOrdinals are the recipients of the batch.
var batchOrdinals = []uint32{1, 399, 400, 1199}

func (m *machine) planBatch(rt *rapid.T) {
	require.NoError(rt, queue(m.t, m.store, func(t *tx) error {
		_, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, due_time, next_ordinal, cancel_reason)
			VALUES (1, 1, 'SCHEDULED', 0, 0, 0, '')`)
		return err
	})())
	require.NoError(rt, m.store.PlanStep(context.Background(), storage.StepPlan{PushID: 1, Step: 1, Through: 1200, Done: true,
		Dispatches: []storage.DispatchDraft{{Recipients: batchOrdinals, Singles: make([]storage.Single, len(batchOrdinals)), DueTime: time.Now()}}}))
}

// settle claims the batch when the last claim's lease ran out, and stores some of the results that it awaits, or fails to.
func (m *machine) settle(rt *rapid.T) {
	ctx := context.Background()
	m.claimed += 2 * time.Hour
	claims, err := m.store.ClaimDispatches(ctx, storage.ClaimRequest{App: benchApp, Now: time.Now().Add(m.claimed), Lease: time.Hour})
	require.NoError(rt, err)
	require.Len(rt, claims, 1)
	d := claims[0].Dispatch
	result := storage.DispatchResult{ID: d.ID, Attempt: d.Attempt, State: storage.DispatchSending, Time: time.Now()}
	awaited := slices.DeleteFunc(slices.Clone(batchOrdinals), func(o uint32) bool { return m.settled[o] })
	require.ElementsMatch(rt, awaited, d.Recipients)
	for _, ordinal := range awaited {
		if rapid.Bool().Draw(rt, "taken") {
			result.Singles = append(result.Singles, storage.SingleResult{Ordinal: ordinal, UpstreamID: singleID(ordinal)})
		}
	}
	if len(awaited) > 0 && rapid.Bool().Draw(rt, "fails") {
		bad := result
		bad.Singles = nil
		for _, ordinal := range awaited {
			bad.Singles = append(bad.Singles, storage.SingleResult{Ordinal: ordinal, UpstreamID: singleID(ordinal)})
		}
		bad.Singles[len(awaited)-1].UpstreamID = upstreamID(1) // another dispatch's
		_, err = m.store.FinishDispatch(ctx, bad)
		require.ErrorIs(rt, err, storage.ErrConflict)
	}
	_, err = m.store.FinishDispatch(ctx, result)
	require.NoError(rt, err)
	for _, single := range result.Singles {
		m.settled[single.Ordinal] = true
		for _, row := range m.held[single.UpstreamID] {
			m.applyTo(1, 1, row)
		}
		delete(m.held, single.UpstreamID)
	}
}

func (m *machine) record(rt *rapid.T) {
	rows, pushes := m.batch(rt)
	got, err := m.store.RecordCallbacks(context.Background(), benchApp, time.Now(), rows)
	require.NoError(rt, err)
	require.Equal(rt, m.apply(rows, pushes), got)
}

// note keeps the latest time.
func note(times map[string]int64, device string, at int64) {
	if before, ok := times[device]; !ok || at > before {
		times[device] = at
	}
}

func (m *machine) invalid() (ids []string) {
	for _, device := range modelDevices {
		id := benchID(device)
		dead, died := m.deaths[id]
		life, lived := m.lives[id]
		if died && (!lived || life < dead) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *machine) revive(rt *rapid.T) {
	id := benchID(rapid.SampledFrom(modelDevices).Draw(rt, "device"))
	now := modelTime + rapid.Int64Range(0, 20).Draw(rt, "now")
	want := slices.Contains(m.invalid(), id)
	n, err := m.store.ReviveDevices(context.Background(), benchApp, []string{id}, time.Unix(now, 0))
	require.NoError(rt, err)
	require.Equal(rt, want, n == 1)
	if want {
		note(m.lives, id, max(now, m.deaths[id]))
	}
}

// checkDevices also finds that memory has no more than the disk.
func (m *machine) checkDevices(rt *rapid.T) {
	var all []string
	for _, device := range modelDevices {
		all = append(all, benchID(device))
	}
	got, err := m.store.InvalidDevices(context.Background(), benchApp, all)
	require.NoError(rt, err)
	require.Equal(rt, m.invalid(), got)
	require.ElementsMatch(rt, m.invalid(), m.store.writer.invalid.suspects(benchApp, all))
}

var errDrawn = errors.New("drawn")

// together runs a good batch, and beside it jobs, in one transaction.
func (m *machine) together(rt *rapid.T, runs ...func(*tx) error) (rows []storage.Callback, pushes []int, good *job, others []*job) {
	rows, pushes = m.batch(rt) // a draw may end the run, and must not leave the writer occupied
	release := occupy(m.t, m.store)
	good = resolved(m.t, m.store, rows...)
	for _, run := range runs {
		others = append(others, &job{ctx: context.Background(), run: run, done: make(chan error, 1)})
	}
	for _, j := range append([]*job{good}, others...) {
		require.NoError(rt, m.store.writer.enqueue(j))
	}
	release()
	return rows, pushes, good, others
}

// failBatch records a batch, then a job that records another and fails, then one that succeeds.
func (m *machine) failBatch(rt *rapid.T) {
	bad, _ := m.batch(rt)
	b := resolved(m.t, m.store, bad...)
	late, latePushes := m.batch(rt)
	l := resolved(m.t, m.store, late...)
	flush := rapid.Bool().Draw(rt, "flushed")
	rows, pushes, good, others := m.together(rt, func(t *tx) error {
		for _, e := range b.batch.entries {
			if err := t.take(b.batch, e); err != nil {
				return err
			}
		}
		if flush {
			if err := t.flush(); err != nil {
				return err
			}
		}
		return errDrawn
	}, func(t *tx) error { return t.record([]*job{l}) })
	require.NoError(rt, <-good.done)
	require.ErrorIs(rt, <-others[0].done, errDrawn)
	require.NoError(rt, <-others[1].done)
	require.Equal(rt, m.apply(rows, pushes), good.batch.summary)
	require.Equal(rt, m.apply(late, latePushes), l.batch.summary)
}

// failCommit fails a transaction at its very end.
func (m *machine) failCommit(rt *rapid.T) {
	_, _, good, others := m.together(rt, func(t *tx) error {
		if _, err := t.exec(`PRAGMA defer_foreign_keys = 1`); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO step (push_id, number, state, offset_ms, next_ordinal, cancel_reason)
			VALUES (404, 1, '', 0, 0, '')`)
		return err
	})
	require.Error(rt, <-good.done)
	require.Error(rt, <-others[0].done)
}

// failFold has a trigger fail a table that callbacks or folds write to, for two transactions.
func (m *machine) failFold(rt *rapid.T) {
	table := rapid.SampledFrom([]string{"progress_page", "mark", "segment", "segment_of_push", "span_of_app", "counter",
		"event_detail", "event_kind", "recipient_page", "invalid_device"}).Draw(rt, "table")
	rows, pushes := m.batch(rt)
	m.hurry(rt)
	// The writer itself may be held up by the trigger: another connection makes and drops it.
	exec := func(query string) {
		_, err := m.store.checkpoints.db.ExecContext(context.Background(), query)
		require.NoError(rt, err)
	}
	exec(`CREATE TRIGGER broken BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'broken'); END`)
	got, err := m.store.RecordCallbacks(context.Background(), benchApp, time.Now(), rows)
	if err == nil {
		require.Equal(rt, m.apply(rows, pushes), got)
	}
	_ = m.idle() // it folds what the batch left, or fails at it
	exec(`DROP TRIGGER broken`)
}

// idle runs a transaction with nothing to do but to fold.
func (m *machine) idle() error { return queue(m.t, m.store, func(*tx) error { return nil })() }

// hurry lets the next commit begin a round.
func (m *machine) hurry(rt *rapid.T) {
	require.NoError(rt, queue(m.t, m.store, func(t *tx) error {
		t.writer.fold.ended = time.Time{}
		return nil
	})())
}

// fold begins a round, and perhaps ends it.
func (m *machine) fold(rt *rapid.T) {
	m.hurry(rt)
	for range rapid.IntRange(0, 3).Draw(rt, "transactions") {
		require.NoError(rt, m.idle())
	}
}

func (m *machine) makeRoom(rt *rapid.T) {
	require.NoError(rt, queue(m.t, m.store, func(t *tx) error {
		l := t.writer.live
		l.round.Add(1)
		defer func(budget int) { l.budget = budget }(l.budget)
		l.budget = 1
		l.evict()
		return nil
	})())
}

func (m *machine) lead(rt *rapid.T) {
	m.term++
	require.NoError(rt, m.store.Lead(context.Background(), m.term))
}

// kill goes on with a copy of the files, as a killed process leaves them.
func (m *machine) kill(rt *rapid.T) {
	next := m.t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(m.path + suffix)
		require.NoError(rt, err)
		require.NoError(rt, os.WriteFile(filepath.Join(next, "susul.db"+suffix), content, 0o600))
	}
	require.NoError(rt, m.store.Close())
	m.path = filepath.Join(next, "susul.db")
	m.open(rt)
}

func (m *machine) close(rt *rapid.T) {
	m.lead(rt) // so that the store may fold what it did not record itself
	require.NoError(rt, m.store.Close())
	m.open(rt)
	last, err := m.store.LastSequence(context.Background())
	require.NoError(rt, err)
	require.Equal(rt, last, folded(m.t, m.store))
}

func (m *machine) check(rt *rapid.T) {
	ctx := context.Background()
	require.Empty(rt, m.store.writer.rows.Load())
	for push := 1; push <= 2; push++ {
		var ids []string
		for _, device := range modelDevices {
			ids = append(ids, benchID(device))
		}
		found, err := m.store.FindRecipients(ctx, int64(push), ids)
		require.NoError(rt, err)
		got, members := map[string]storage.Progress{}, map[string]bool{}
		for _, r := range found {
			members[r.RegistrationID] = true
			if r.Progress != 0 {
				got[r.RegistrationID] = r.Progress
			}
		}
		want := maps.Clone(m.words[push])
		maps.DeleteFunc(want, func(_ string, p storage.Progress) bool { return p == 0 })
		require.Equal(rt, want, got)
		require.Equal(rt, m.members[push], members)
		scanned, err := m.store.ScanRecipients(ctx, int64(push), 0, 2*layout.PageSize)
		require.NoError(rt, err)
		for _, r := range scanned {
			require.Equal(rt, m.words[push][r.RegistrationID], r.Progress)
		}
		if push == 2 {
			require.Len(rt, scanned, len(m.members[2]))
		}
		var counts storage.Counts
		for _, p := range m.words[push] {
			for c := storage.Sent; c <= storage.Failed; c++ {
				if p.InAnyStep().Has(c) {
					counts.Add(c, 1)
				}
			}
		}
		report, err := m.store.Report(ctx, benchApp, int64(push))
		require.NoError(rt, err)
		report.Total.Targets = 0
		require.Equal(rt, counts, report.Total)
	}
	m.checkEvents(rt)
	m.checkDevices(rt)
}

// checkEvents reads the log in every way.
func (m *machine) checkEvents(rt *rapid.T) {
	keys := func(q storage.EventQuery) []string {
		events, err := m.store.ListEvents(context.Background(), q)
		require.NoError(rt, err)
		var keys []string
		last := q.After
		for _, e := range events {
			require.Greater(rt, e.Sequence, last)
			last = e.Sequence
			keys = append(keys, eventKey(int(e.PushID), e.Step, e.Callback))
			require.Equal(rt, e.Step == 1, strings.HasPrefix(e.UpstreamID, "17") || e.UpstreamID == "")
		}
		slices.Sort(keys)
		return keys
	}
	all := slices.Sorted(maps.Keys(m.events))
	require.Equal(rt, all, keys(storage.EventQuery{}))
	require.Equal(rt, all, keys(storage.EventQuery{App: benchApp}))
	require.Equal(rt, all, slices.Sorted(slices.Values(append(keys(storage.EventQuery{PushID: 1}), keys(storage.EventQuery{PushID: 2})...))))
	last, err := m.store.LastSequence(context.Background())
	require.NoError(rt, err)
	if last > 0 {
		border := rapid.Int64Range(1, last).Draw(rt, "border")
		before := keys(storage.EventQuery{App: benchApp, Through: border})
		require.Equal(rt, before, keys(storage.EventQuery{Through: border}))
		after := keys(storage.EventQuery{App: benchApp, After: border, Through: last})
		require.Equal(rt, all, slices.Sorted(slices.Values(append(after, before...))))
	}
	var devices []string
	for _, device := range modelDevices {
		devices = append(devices, keys(storage.EventQuery{RegistrationID: benchID(device)})...)
	}
	slices.Sort(devices)
	require.Equal(rt, all, devices)
}
