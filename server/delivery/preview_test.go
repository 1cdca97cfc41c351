package delivery_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/delivery"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// rich is a policy in which recipients meet most of what there is.
func rich() policy.Policy {
	p := oneStep()
	p.HoldoutPermille = 100
	p.Limits.QuietHours = &policy.QuietHours{From: 20 * 60, Until: 8 * 60}
	p.Steps[0].OnlyIf = `!device.known || device.attributes.tier != "tin"`
	p.Steps[0].Contents = policy.Contents{}
	p.Steps[0].Variants = []policy.Variant{
		{ID: "common", Contents: says(policy.Content{Alert: "Come back"})},
		{ID: "personal", Contents: says(policy.Content{Alert: `Come back, {{ device.attributes.name | default: "you" }}`})},
		{ID: "broken", Contents: policy.Contents{
			Content: &policy.Content{Alert: `{{ device.attributes.name | divided_by: 0 }}`},
			Plain:   &policy.Content{Alert: "Plainly: come back"},
		}},
	}
	return p
}

// A preview counts what is planned a moment later, and shows what EngageLab then gets.
func TestAPreviewIsWhatIsSent(t *testing.T) {
	h := newHouse(t)
	p := h.createPolicy(rich())
	const n = 300
	for i := range n {
		id := fmt.Sprintf("r%d", i)
		switch i % 5 {
		case 0:
			h.knows(id, map[string]any{"tier": "tin"}, "UTC")
		case 1:
			h.knows(id, map[string]any{"tier": "gold", "name": id}, "Asia/Tokyo") // 19:00 by their clock
		case 2:
			h.knows(id, map[string]any{"tier": "gold", "name": "Ayu"}, "Pacific/Auckland") // 23:00
		case 3:
			h.knows(id, map[string]any{"name": "Budi"}, "") // whose tier is not known
		}
	}
	push, first := h.push(n, nil)
	h.clock.Advance(2 * time.Hour)
	h.callback(first, "delivered", people(n)...)
	h.clock.Advance(time.Hour)
	h.callback(first, "click", "r4", "r6")
	h.buries(first, "r9")

	request := delivery.PreviewRequest{App: app, PushID: push.ID, Step: 1, RegistrationIDs: people(100)}
	preview, err := h.service.PreviewStep(t.Context(), request)
	require.NoError(t, err)
	byDefault, err := h.service.PreviewStep(t.Context(), delivery.PreviewRequest{App: app, PushID: push.ID, Step: 1})
	require.NoError(t, err)
	require.Len(t, byDefault.Recipients, 5)
	for _, shown := range byDefault.Recipients {
		require.Empty(t, shown.Reason)
	}
	byDefault.Recipients = preview.Recipients
	require.Equal(t, preview, byDefault)
	require.Zero(t, h.step(push, 1).Targets, "nothing is stored")

	h.pass(0)
	eligible, deferred := 0, 0
	for _, d := range h.requests(push, 1) {
		eligible += len(d.Recipients)
		if d.DueTime.After(h.clock.Now()) {
			deferred += len(d.Recipients)
		}
	}
	require.Equal(t, []int{eligible, deferred}, []int{preview.Eligible, preview.Deferred})
	require.Positive(t, preview.Deferred)
	require.Equal(t, h.step(push, 1).PassedOver, preview.PassedOver)
	for _, reason := range []storage.Reason{
		storage.ReasonMilestoneReached, storage.ReasonInvalidDevice, storage.ReasonConditionFalse, storage.ReasonConditionFailed,
		storage.ReasonHoldout,
	} {
		require.Positive(t, preview.PassedOver[reason], reason)
	}

	sent := map[string]sending{}
	arrive := func(n int) {
		for len(sent) < n {
			s := h.next()
			for _, id := range s.ids {
				sent[id] = s
			}
		}
	}
	arrive(eligible - deferred)
	h.clock.Advance(9 * time.Hour) // to 08:00 in Auckland
	arrive(eligible)
	h.settled(push)
	require.Len(t, h.engageLab.sendings[1:], preview.QuotaUnits, "a message, or one of a batch, is a unit")
	reasons, variants := h.reasons(push, 1), map[string]int{}
	for i, shown := range preview.Recipients {
		require.Equal(t, request.RegistrationIDs[i], shown.RegistrationID)
		require.Equal(t, reasons[shown.RegistrationID], shown.Reason)
		if shown.Reason != "" {
			require.Nil(t, shown.Document)
			continue
		}
		variants[shown.Variant]++
		require.Equal(t, shown.Variant == "broken", shown.TemplateError != "")
		require.Equal(t, withoutOwn(t, sent[shown.RegistrationID].document), decoded(t, shown.Document))
		history, err := h.store.History(t.Context(), app, push.ID, shown.RegistrationID)
		require.NoError(t, err)
		require.Equal(t, history.Dispatches[1].DueTime, shown.SendTime)
		require.Equal(t, history.Dispatches[1].Variant, shown.Variant)
	}
	require.Len(t, variants, len(p.Steps[0].Variants))
}

// withoutOwn are a request's members but for whom it is for, where to report, and its cid.
func withoutOwn(t *testing.T, document engagelab.Document) map[string]any {
	t.Helper()
	data, err := json.Marshal(document)
	require.NoError(t, err)
	members := decoded(t, data)
	delete(members, "to")
	delete(members, "callback_url")
	body, _ := members["body"].(map[string]any)
	options, _ := body["options"].(map[string]any)
	delete(options, "cid")
	return members
}

func decoded(t *testing.T, data []byte) (members map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(data, &members))
	return members
}

// A draft is previewed as if the push had it.
func TestADraftIsPreviewed(t *testing.T) {
	h := newHouse(t)
	push, _ := h.push(3, map[string]any{"custom_args": "something else"})
	_, err := h.service.PreviewStep(t.Context(), delivery.PreviewRequest{App: app, PushID: push.ID, Step: 1})
	require.ErrorIs(t, err, delivery.ErrNoPolicy)

	draft, err := policy.Compile(oneStep())
	require.NoError(t, err)
	request := delivery.PreviewRequest{App: app, PushID: push.ID, Step: 1, Policy: draft}
	preview, err := h.service.PreviewStep(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, 3, preview.Eligible)
	require.Equal(t, 1, preview.QuotaUnits)
	body, _ := decoded(t, preview.Recipients[0].Document)["body"].(map[string]any)
	notification, _ := body["notification"].(map[string]any)
	require.Equal(t, map[string]any{"android": map[string]any{"title": "Again: News", "alert": "Read it"}}, notification)

	request.Step = 2
	_, err = h.service.PreviewStep(t.Context(), request)
	require.ErrorIs(t, err, delivery.ErrNoStep)
	request.Step, request.RegistrationIDs = 1, []string{"r0", "nobody", "r1", "none"}
	_, err = h.service.PreviewStep(t.Context(), request)
	var unknown *delivery.UnknownRecipientsError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []int{1, 3}, unknown.Places)
	request.PushID++
	_, err = h.service.PreviewStep(t.Context(), request)
	require.ErrorIs(t, err, storage.ErrNotFound)
}
