package delivery_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// planBook is a store that remembers what was planned.
type planBook struct {
	storage.Store
	plans []storage.StepPlan
	loses bool // what it notes
}

func (b *planBook) PlanStep(ctx context.Context, plan storage.StepPlan) error {
	b.plans = append(b.plans, plan)
	if b.loses {
		return storage.ErrUnavailable
	}
	return b.Store.PlanStep(ctx, plan)
}

// drafts are a step's dispatches as they were planned, in their order.
func (b *planBook) drafts(push storage.Push, step int) []storage.DispatchDraft {
	var drafts []storage.DispatchDraft
	for _, plan := range b.plans {
		if plan.PushID == push.ID && plan.Step == step {
			drafts = append(drafts, plan.Dispatches...)
		}
	}
	return drafts
}

// alerts are the texts of a step, by ordinal.
func (b *planBook) alerts(t *testing.T, push storage.Push, step int) map[uint32]string {
	t.Helper()
	alerts := make(map[uint32]string)
	planned := 0
	for _, draft := range b.drafts(push, step) {
		planned += len(draft.Recipients)
		for i, ordinal := range draft.Recipients {
			content := draft.Content
			if draft.Singles != nil {
				content = draft.Singles[i].Content
			}
			var rendered policy.Rendered
			if len(content) > 0 {
				var err error
				rendered, err = policy.DecodeRendered(content)
				require.NoError(t, err)
			}
			alerts[ordinal] = rendered.Alert
		}
	}
	require.Len(t, alerts, planned, "a step is planned once for each")
	return alerts
}

// planned lets a step's time come, with nobody to send it, and returns what was planned.
func (h *house) planned(push storage.Push, after time.Duration) *planBook {
	h.t.Helper()
	book := &planBook{Store: h.store}
	h.settled(push)
	h.stop()
	h.store = book
	h.start()
	h.stop()
	h.pass(after)
	h.store = book.Store
	return book
}

func TestContentByProgress(t *testing.T) {
	h := newHouse(t)
	p := oneStep()
	p.Steps[0].Contents = policy.Contents{
		Content:               &policy.Content{Alert: "anything else"},
		NeverDelivered:        &policy.Content{Alert: "never delivered"},
		DeliveredNotDisplayed: &policy.Content{Alert: "never displayed"},
		DisplayedNotClicked:   &policy.Content{Alert: "never clicked"},
	}
	h.createPolicy(p)
	push, first := h.push(5, nil)
	h.callback(first, "sent", "r1")
	h.callback(first, "delivered", "r2")
	h.callback(first, "displayed", "r3")
	h.callback(first, "sent_failed", "r4")
	book := h.planned(push, 3*time.Hour)
	require.Equal(t, map[uint32]string{
		0: "never delivered", 1: "never delivered", 2: "never displayed", 3: "never clicked", 4: "never delivered",
	}, book.alerts(t, push, 1))
	require.Len(t, book.drafts(push, 1), 2, "two are alone with their text: a batch")
}

func TestContentKnowsTheDevice(t *testing.T) {
	h := newHouse(t)
	p := oneStep()
	p.Steps[0].Contents = says(policy.Content{
		Alert: `{{ device.attributes.name | default: "you" }} {{ device.locale }} {{ device.time_zone }} {{ device.registration_id }} {{ device.attributes.age }}`,
	})
	h.createPolicy(p)
	h.knows("r0", map[string]any{"name": "Ayu", "age": json.Number("31")}, "Asia/Jakarta")
	push, _ := h.push(2, nil)
	require.Equal(t, map[uint32]string{0: "Ayu  Asia/Jakarta r0 31", 1: "you   r1 "}, h.planned(push, 3*time.Hour).alerts(t, push, 1))
}

// weighed is a policy of one step with variants.
func weighed(variants ...policy.Variant) policy.Policy {
	p := oneStep()
	p.Steps[0].Contents, p.Steps[0].Variants = policy.Contents{}, variants
	for i, v := range variants {
		p.Steps[0].Variants[i].Contents = says(policy.Content{Alert: v.ID})
	}
	return p
}

func count(alerts map[uint32]string) map[string]int {
	counts := make(map[string]int)
	for _, alert := range alerts {
		counts[alert]++
	}
	return counts
}

func TestVariantsByWeight(t *testing.T) {
	const n = 1000
	for name, c := range map[string]struct{ weights, want [3]int }{
		"by weight": {[3]int{7, 0, 3}, [3]int{700, 0, 300}},
		"equal":     {[3]int{0, 0, 0}, [3]int{333, 333, 333}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			ids := []string{"a", "b", "c"}
			var variants []policy.Variant
			for i, id := range ids {
				variants = append(variants, policy.Variant{ID: id, Weight: c.weights[i]})
			}
			h.createPolicy(weighed(variants...))
			push, _ := h.push(n, nil)
			book := h.planned(push, 3*time.Hour)
			got := count(book.alerts(t, push, 1))
			for i, id := range ids {
				require.InDelta(t, c.want[i], got[id], 95, "six standard deviations")
			}
			for _, draft := range book.drafts(push, 1) {
				require.Contains(t, string(draft.Content), `"`+draft.Variant+`"`)
			}
		})
	}
}

// A recipient's variant depends on nothing but who it is: a slice that is planned again assigns alike. Another push assigns anew.
func TestVariantsAreAssignedByAStableHash(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(weighed(policy.Variant{ID: "a"}, policy.Variant{ID: "b"}))
	one, _ := h.push(300, nil)
	other, _ := h.push(300, nil)
	h.settled(one)
	h.settled(other)
	h.stop()
	h.clock.Advance(3 * time.Hour)
	var books []*planBook
	for _, loses := range []bool{true, false} { // as after a crash before the plan was stored
		book := &planBook{Store: h.store, loses: loses}
		h.store = book
		h.start()
		h.stop()
		_ = h.service.PlanDueSteps(t.Context())
		h.store = book.Store
		books = append(books, book)
	}
	for _, push := range []storage.Push{one, other} {
		require.NotEmpty(t, books[0].drafts(push, 1))
		require.Equal(t, books[0].drafts(push, 1), books[1].drafts(push, 1))
	}
	require.NotEqual(t, books[1].alerts(t, one, 1), books[1].alerts(t, other, 1))
}

func TestOptimizedVariantsFollowWhatWasMeasured(t *testing.T) {
	h := newHouse(t)
	p := weighed(policy.Variant{ID: "a", Weight: 1}, policy.Variant{ID: "b"})
	p.Steps[0].Optimize = true
	p = h.createPolicy(p)
	before, _ := h.push(400, nil)
	require.InDelta(t, 200, count(h.planned(before, 3*time.Hour).alerts(t, before, 1))["b"], 120, "nothing is known yet")
	require.NoError(t, h.store.RecordMeasurement(t.Context(), storage.Measurement{
		PushID: before.ID, Step: 1, PolicyUID: p.UID, Key: p.StepKey(1), Time: h.clock.Now(),
		Groups: map[storage.Group]storage.ClickCount{
			{Variant: "a"}: {Recipients: 2000, Clicked: 100},
			{Variant: "b"}: {Recipients: 2000, Clicked: 400},
		},
	}))
	h.start()
	after, _ := h.push(400, nil)
	require.Equal(t, map[string]int{"b": 400}, count(h.planned(after, 3*time.Hour).alerts(t, after, 1)))

	// Once the step is resumed, what was measured before does not count.
	h.clock.Advance(time.Hour)
	_, err := h.policies.Update(t.Context(), 0, p.ID, func(p policy.Policy) (policy.Policy, error) {
		p.Steps[0].MeasuredSince = h.clock.Now()
		return p, nil
	})
	require.NoError(t, err)
	h.start()
	anew, _ := h.push(400, nil)
	require.InDelta(t, 200, count(h.planned(anew, 3*time.Hour).alerts(t, anew, 1))["a"], 120)
}

// broken is a step whose template fails for some: the first text is too long for a title.
func broken(plain *policy.Content) policy.Policy {
	p := oneStep()
	p.Steps[0].Contents = says(policy.Content{
		Title: "{{ push.body.notification.android.alert }}{% if device.attributes.broken %}{{ 1 | divided_by: 0 }}{% endif %}",
	})
	p.Steps[0].Plain = plain
	return p
}

func TestATemplateThatFailsFallsBack(t *testing.T) {
	huge := map[string]any{"body": map[string]any{"platform": "android",
		"notification": map[string]any{"android": map[string]any{"title": "News", "alert": strings.Repeat("x", 2000)}}}}
	for name, c := range map[string]struct {
		plain *policy.Content
		more  map[string]any
		want  map[string]string // the titles that arrive
		count int
	}{
		"for one, on the plain content":   {&policy.Content{Title: "Plain % text"}, nil, map[string]string{"r0": "Plain % text", "r1": "Read it", "r2": "Read it"}, 1},
		"for one, on the first text":      {nil, nil, map[string]string{"r0": "News", "r1": "Read it", "r2": "Read it"}, 1},
		"for everybody, on the plain one": {&policy.Content{Title: "Plain"}, huge, map[string]string{"r0": "Plain", "r1": "Plain", "r2": "Plain"}, 3},
		"for everybody, on the first":     {nil, huge, map[string]string{"r0": "News", "r1": "News", "r2": "News"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.createPolicy(broken(c.plain))
			h.knows("r0", map[string]any{"broken": true}, "")
			push, _ := h.push(3, c.more)
			h.settled(push)
			h.pass(3 * time.Hour)
			got := make(map[string]string)
			for len(got) < 3 {
				s := h.next()
				for _, id := range s.ids {
					got[id], _ = s.notification(t)["title"].(string)
				}
			}
			require.Equal(t, c.want, got)
			report := h.settled(push)
			require.Equal(t, c.count, report.Steps[1].PlainContent)
			require.Empty(t, report.Steps[1].PassedOver)
		})
	}
}

// Of an external push nothing is known that could be sent again.
func TestATemplateThatFailsWithNothingToFallBackOn(t *testing.T) {
	h := newHouse(t)
	p := broken(nil)
	p.Match = `external`
	h.createPolicy(p)
	h.knows("a", map[string]any{"broken": true}, "")
	h.record(theirs("one", "a", "sent", `1`), theirs("one", "b", "sent", `1`))
	push := h.adopted("one")[0]
	h.pass(3 * time.Hour)
	require.Equal(t, []string{"b"}, h.next().ids)
	require.Equal(t, map[storage.Reason]int{storage.ReasonTemplateFailed: 1}, h.settled(push).Steps[1].PassedOver)
}
