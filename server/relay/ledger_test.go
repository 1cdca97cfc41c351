package relay

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

// Whatever an endpoint answers, and whenever the process dies: every event is posted until it was taken or became a dead letter, and
// those of a push in their order.
func TestLedgerLosesNothingAndKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTrialWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"events":  w.arrive,
			"step":    w.step,
			"steps":   w.steps,
			"answer":  w.answer,
			"answers": w.answers,
			"outage":  w.outage,
			"wait":    w.wait,
			"save":    w.save,
			"saved":   w.saved,
			"crash":   w.crash,
			"pause":   w.pause,
			"resume":  w.resume,
			"terms":   w.changeTerms,
			"filter":  w.changeFilter,
			"replay":  w.replay,
			"revive":  w.revive,
			"drop":    w.drop,
			"":        w.check,
		})
		w.recover(t)
	})
}

// check holds what is saved, and what is in memory, against the reference.
func (w *trialWorld) check(t *rapid.T) {
	w.covered(t, "saved", w.row.Cursor, maps.Values(w.spans))
	now := maps.Clone(w.spans)
	if w.saving != nil {
		for _, s := range w.saving.change.Spans {
			now[s.ID] = s
		}
		for _, key := range w.saving.change.DoneSpans {
			delete(now, key.ID)
		}
	}
	for id, s := range w.l.records {
		if s == nil {
			delete(now, id)
		} else {
			now[id] = *s
		}
	}
	w.covered(t, "in memory", w.l.cursor(), maps.Values(now))
	for id, s := range w.l.spans {
		require.Equal(t, s.RelaySpan, now[id], "a span that changed is not to be saved")
	}
	require.LessOrEqual(t, len(w.l.parked)+w.l.reserved, w.l.limits.parked)
	require.LessOrEqual(t, w.l.lanes.queued, w.l.limits.queued+12+w.l.limits.batch*w.terms.concurrency)
	queued, sendable := 0, 0
	for _, n := range w.l.lanes.byPush {
		queued += len(n.items)
		if n.flying == nil {
			sendable += len(n.items)
		}
	}
	require.Equal(t, []int{queued, sendable}, []int{w.l.lanes.queued, w.l.lanes.sendable})
	letters := 0
	for _, s := range now {
		if s.Kind == storage.SpanDead {
			letters++
		}
	}
	require.Equal(t, letters, w.l.letters)
}

// covered requires that every event was taken, or is behind the cursor or in a span.
func (w *trialWorld) covered(t *rapid.T, where string, cursor int64, spans func(func(storage.RelaySpan) bool)) {
	for _, e := range w.events {
		if e.taken || e.excused || !e.wanted || e.sequence > cursor {
			continue
		}
		found := false
		for s := range spans {
			found = found || (s.PushID == 0 || s.PushID == e.push) && s.Next <= e.sequence && (s.Kind == storage.SpanRetry || e.sequence <= s.Last)
		}
		require.True(t, found, "%s, event %d of push %d is lost; cursor %d", where, e.sequence, e.push, cursor)
	}
}

// recover has all go well from now on. Everything must come in bounded time, and nothing be left but dead letters.
func (w *trialWorld) recover(t *rapid.T) {
	w.terms.perSecond = 0
	w.resume(t)
	for range 10_000 {
		if w.do(t) {
			continue
		}
		if len(w.flying) > 0 {
			w.answered(0, outcome{delivered: true})
			continue
		}
		if w.alarm.IsZero() {
			break
		}
		w.now = w.alarm
	}
	require.True(t, w.l.caughtUp())
	require.Empty(t, w.l.spans)
	require.Empty(t, w.l.parked)
	require.False(t, w.l.open())
	w.check(t)
	if w.saving != nil {
		w.l.unsave(w.saving.undo)
		w.saving = nil
	}
	w.save(t)
	w.commit()
	for _, s := range w.spans {
		require.Equal(t, storage.SpanDead, s.Kind, "a span that is done stays in the store")
	}
	for _, e := range w.events {
		require.True(t, e.taken || e.buried || e.excused || !e.wanted, "event %d never came", e.sequence)
	}
}

func TestBackoff(t *testing.T) {
	var waits []string
	for failures := range 8 {
		waits = append(waits, waitAfter(failures, 0).String())
	}
	require.Equal(t, "[10s 10s 1m0s 5m0s 30m0s 1h0m0s 1h0m0s 1h0m0s]", fmt.Sprint(waits))
	require.Equal(t, 66*time.Minute, waitAfter(9, 1))
	require.Equal(t, []int{0, 0, 1, 2, 5}, []int{roundsIn(-time.Hour), roundsIn(9 * time.Second), roundsIn(time.Minute), roundsIn(2 * time.Minute), roundsIn(99 * time.Hour)})
}
