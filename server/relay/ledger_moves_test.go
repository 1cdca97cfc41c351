package relay

import (
	"net/http"
	"slices"
	"time"

	"pgregory.net/rapid"

	"susul.dev/susul/storage"
)

func (w *trialWorld) answer(t *rapid.T) {
	if len(w.flying) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.flying)-1).Draw(t, "request")
	o := rapid.SampledFrom([]outcome{
		{delivered: true}, {delivered: true}, {status: 500}, {status: 500}, {text: "timed out"}, {status: http.StatusGone},
		{status: http.StatusTooManyRequests}, {status: 503, retryAfter: 3 * time.Minute}, {unreached: true}, {aborted: true},
	}).Draw(t, "outcome")
	w.answered(i, o)
}

func (w *trialWorld) answered(i int, o outcome) {
	q := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	if o.delivered {
		for _, it := range q.items {
			w.event(it).taken = true
		}
	}
	w.l.done(q, o, w.now)
	switch {
	case o.gone():
		w.forgiven()
	case o.delivered:
		w.failing = time.Time{}
		if q.probe {
			w.leftAlone = time.Time{}
		}
	case !o.aborted:
		if w.failing.IsZero() {
			w.failing = q.start
		}
		if until := w.now.Add(o.retryAfter); o.retryAfter > 0 && until.After(w.leftAlone) {
			w.leftAlone = until
		}
	}
}

// answers has everything fail, or succeed.
func (w *trialWorld) answers(t *rapid.T) {
	good := rapid.Bool().Draw(t, "good")
	for len(w.flying) > 0 {
		w.answered(0, outcome{delivered: good, status: 500})
	}
}

// outage has everything fail for some attempts, while time passes.
func (w *trialWorld) outage(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "attempts") {
		for w.do(t) {
		}
		for len(w.flying) > 0 {
			w.answered(0, outcome{status: 500})
		}
		if rapid.Bool().Draw(t, "days") {
			w.now = w.now.Add(80 * time.Hour)
		} else if w.alarm.After(w.now) {
			w.now = w.alarm
		}
	}
}

func (w *trialWorld) wait(t *rapid.T) {
	until := rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, time.Minute, time.Hour, 80 * time.Hour, -time.Hour}).Draw(t, "for")
	if until == 0 && w.alarm.After(w.now) {
		w.now = w.alarm
	} else {
		w.now = w.now.Add(until)
	}
}

// trialSave is a transaction under way.
type trialSave struct {
	change storage.RelayChange
	undo   map[int64]*storage.RelaySpan
}

// save begins to save; saved ends that, while all goes on.
func (w *trialWorld) save(*rapid.T) {
	if w.saving == nil {
		w.saving = &trialSave{}
		w.saving.undo = w.l.snapshot(&w.saving.change, w.head)
	}
}

func (w *trialWorld) saved(t *rapid.T) {
	switch {
	case w.saving == nil:
		return
	case rapid.IntRange(0, 4).Draw(t, "fails") == 0:
		w.l.unsave(w.saving.undo)
	default:
		w.commit()
	}
	w.saving = nil
}

func (w *trialWorld) commit() {
	w.row = w.saving.change.Endpoints[0]
	for _, s := range w.saving.change.Spans {
		w.spans[s.ID] = s
	}
	for _, key := range w.saving.change.DoneSpans {
		delete(w.spans, key.ID)
	}
}

// crash loses all that was not saved. What was under way may have been taken, or saved.
func (w *trialWorld) crash(t *rapid.T) {
	for _, q := range w.flying {
		if rapid.Bool().Draw(t, "taken") {
			for _, it := range q.items {
				w.event(it).taken = true
			}
		}
	}
	if w.saving != nil && rapid.Bool().Draw(t, "saved") {
		w.commit()
	}
	w.flying, w.saving = nil, nil
	w.load()
	w.failing, w.leftAlone = w.row.FailingSince, time.Time{}
}

func (w *trialWorld) pause(t *rapid.T) {
	if rapid.Bool().Draw(t, "subscription") {
		w.terms.paused = true
		w.l.setTerms(w.terms, w.now)
	} else {
		w.l.setState(storage.RelayPaused)
	}
	w.forgiven()
}

func (w *trialWorld) resume(*rapid.T) {
	w.terms.paused = false
	w.l.setTerms(w.terms, w.now)
	w.l.setState(storage.RelayActive)
	w.forgiven()
}

func (w *trialWorld) forgiven() { w.failing, w.leftAlone = time.Time{}, time.Time{} }

func (w *trialWorld) changeTerms(t *rapid.T) {
	w.terms.perSecond = rapid.SampledFrom([]float64{0, 0.5, 100}).Draw(t, "rate")
	w.l.setTerms(w.terms, w.now)
}

func (w *trialWorld) changeFilter(t *rapid.T) {
	w.filter = rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "filter")
	for _, e := range w.events {
		e.wanted = e.wanted && w.selects(e.sequence)
	}
	w.l.refilter()
}

func (w *trialWorld) replay(t *rapid.T) {
	if w.head == 0 || w.l.replays >= 3 {
		t.Skip("no replay now")
	}
	push := int64(rapid.IntRange(0, 6).Draw(t, "push"))
	first := rapid.Int64Range(1, w.head).Draw(t, "first")
	w.l.addReplay(push, first, rapid.Int64Range(first, w.head).Draw(t, "last"), time.Time{}, time.Time{}, w.now)
}

// letter chooses a dead letter that is saved as it is.
func (w *trialWorld) letter(t *rapid.T) storage.RelaySpan {
	var letters []storage.RelaySpan
	for id, s := range w.spans {
		if _, unsaved := w.l.records[id]; s.Kind == storage.SpanDead && !unsaved && w.saving == nil {
			letters = append(letters, s)
		}
	}
	if len(letters) == 0 {
		t.Skip("no dead letters")
	}
	slices.SortFunc(letters, func(a, b storage.RelaySpan) int { return int(a.ID - b.ID) })
	return rapid.SampledFrom(letters).Draw(t, "letter")
}

func (w *trialWorld) revive(t *rapid.T) { w.l.revive(w.letter(t), w.now) }

func (w *trialWorld) drop(t *rapid.T) {
	s := w.letter(t)
	w.l.forget(s.ID)
	w.l.records[s.ID] = nil
	for _, e := range w.between(s.PushID, s.Next-1, s.Last) {
		e.excused = true
	}
}
