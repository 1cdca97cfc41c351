package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// personal is a policy whose follow-ups say something else to everybody.
func personal() policy.Policy {
	p := news()
	p.Steps[0].Contents = says(policy.Content{Alert: "For {{ device.registration_id }}."})
	p.Steps[1].Contents = says(policy.Content{Alert: "Last call, {{ device.registration_id }}."})
	return p
}

// due brings a push to n people to where its personal step 1 is about to be sent, once start is called.
func due(t *testing.T, n int) (h *house, push storage.Push, first sending) {
	t.Helper()
	h = newHouse(t)
	h.createPolicy(personal())
	push, first = h.push(n, nil)
	h.settled(push)
	h.stop()
	h.pass(3 * time.Hour)
	return h, push, first
}

// history returns what is stored about one of the push's recipients.
func (h *house) history(push storage.Push, id string) storage.History {
	h.t.Helper()
	history, err := h.store.History(h.t.Context(), app, push.ID, id)
	require.NoError(h.t, err)
	return history
}

// once checks that each recipient of a step got one message, and returns their texts.
func (h *house) once(first sending) map[string]string {
	h.t.Helper()
	texts := map[string]string{}
	for _, s := range h.engageLab.sendings {
		if s.upstream == first.upstream {
			continue
		}
		for _, id := range s.ids {
			require.NotContains(h.t, texts, id, "a step reaches a recipient at most once")
			texts[id], _ = s.notification(h.t)["alert"].(string)
		}
	}
	return texts
}

func TestABatchOfSingleMessages(t *testing.T) {
	h, push, first := due(t, 4)
	h.start()
	report := h.settled(push)
	require.Equal(t, []int{4}, h.engageLab.batches, "one call for all")
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchSent: 1}, report.Steps[1].Dispatches)
	require.Equal(t, 4, report.Steps[1].Targets)
	require.Equal(t, map[string]string{"r0": "For r0.", "r1": "For r1.", "r2": "For r2.", "r3": "For r3."}, h.once(first))

	valid := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	for i, s := range h.engageLab.sendings[1:] {
		require.Regexp(t, valid, s.cid)
		require.Equal(t, fmt.Sprintf("%d-1-0-%d", push.ID, i), s.cid)
		require.Equal(t, first.upstream, s.document.OverrideMsgID(), "it takes the place of the first sending")
		require.Equal(t, []string{"https://susul.example/cb"}, s.document.CallbackURLs())
		require.Equal(t, "news", s.document.CustomArgs())
		require.Equal(t, s.upstream, h.history(push, s.ids[0]).Dispatches[1].UpstreamID)
	}
	require.Equal(t, 1, h.callback(h.engageLab.sendings[2], "click", "r1").New, "callbacks belong to the step")
	require.Equal(t, 1, h.settled(push).Steps[1].Clicked)

	h.pass(2 * time.Hour)
	h.settled(push)
	last := h.engageLab.sendings[5:]
	require.Len(t, last, 3, "who clicked a message of a batch gets no other")
	require.Equal(t, h.engageLab.sendings[1].upstream, last[0].document.OverrideMsgID(), "each has an earlier one of its own")
}

func TestADocumentThatOverridesKeepsToThat(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(personal())
	push, _ := h.push(2, map[string]any{"body": map[string]any{
		"platform": "android", "notification": map[string]any{"android": map[string]any{"alert": "a"}},
		"options": map[string]any{"override_msg_id": "77"},
	}})
	h.pass(3 * time.Hour)
	h.settled(push)
	for _, s := range h.engageLab.sendings {
		require.Equal(t, "77", s.document.OverrideMsgID())
	}
}

func TestWhatEngageLabRefusesOfABatch(t *testing.T) {
	h, push, first := due(t, 4)
	h.engageLab.hook(func(s sending) error {
		if slices.Contains(s.ids, "r2") {
			return errRefused
		}
		return nil
	}, nil)
	h.start()
	report := h.settled(push)
	require.Equal(t, []int{4}, h.engageLab.batches, "a refusal is final")
	require.Len(t, h.once(first), 3)
	require.Equal(t, 1, report.Steps[1].Failed)
	require.Equal(t, &storage.Refusal{HTTPStatus: 400, Code: errRefused.Code, Message: errRefused.Message},
		h.history(push, "r2").Dispatches[1].Refusal)
	require.Nil(t, h.history(push, "r1").Dispatches[1].Refusal)
}

// Over its quota, EngageLab takes a part of a batch. The rest is tried again, and decided about again.
func TestEngageLabTakesABatchBitByBit(t *testing.T) {
	h, push, first := due(t, 10)
	taken := 0
	h.engageLab.hook(func(sending) error {
		if taken++; taken%4 == 0 {
			return errBusy
		}
		return nil
	}, nil)
	h.start()
	require.Eventually(t, func() bool { return len(h.engageLab.arrived) == 8 }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return h.dispatches(push, 1, storage.DispatchPending) }, patience, time.Millisecond)
	h.callback(first, "click", "r3") // it was not taken yet
	h.passUntil(time.Second, func() bool { return h.dispatches(push, 1, storage.DispatchSent) })
	report := h.settled(push)
	require.Equal(t, []int{10, 1}, h.engageLab.batches)
	require.Len(t, h.once(first), 9)
	require.Equal(t, 9, report.Steps[1].Targets)
	require.Equal(t, 1, report.Steps[1].PassedOver[storage.ReasonMilestoneReached])
}

func TestABatchThatIsRefusedAsAWhole(t *testing.T) {
	h, push, _ := due(t, 3)
	h.engageLab.onBatch = func(int) error { return errRefused }
	h.start()
	report := h.settled(push)
	require.Equal(t, map[storage.DispatchState]int{storage.DispatchRefused: 1}, report.Steps[1].Dispatches)
	require.Equal(t, 3, report.Steps[1].Failed)
	require.Equal(t, []int{3}, h.engageLab.batches)
}

// After a lost answer, nobody knows who got it: the batch is repeated as it was, and EngageLab recognises each of its messages.
func TestALostAnswerToABatch(t *testing.T) {
	h, push, first := due(t, 5)
	lost, heal := h.losing()
	h.start()
	for range 5 {
		<-lost
	}
	require.Eventually(t, func() bool { return h.dispatches(push, 1, storage.DispatchSending) }, patience, time.Millisecond)
	h.callback(first, "click", "r0") // EngageLab has its message
	held := h.callback(h.engageLab.sendings[2], "click", "r1")
	require.Equal(t, 1, held.Held)
	heal()
	h.passUntil(time.Second, func() bool { return h.dispatches(push, 1, storage.DispatchSent) })
	report := h.settled(push)
	require.Equal(t, []int{5, 5}, h.engageLab.batches)
	require.Len(t, h.once(first), 5)
	require.Equal(t, 5, report.Steps[1].Targets)
	require.Equal(t, 1, report.Steps[1].Clicked)
}

// A target that the answer does not mention may have been taken, so that it is repeated as it was.
func TestATargetThatTheAnswerLeavesOut(t *testing.T) {
	h, push, first := due(t, 4)
	h.engageLab.unmention = func(s sending) bool { return slices.Contains([]string{"r1", "r2"}, s.ids[0]) }
	h.start()
	require.Eventually(t, func() bool { return h.history(push, "r0").Dispatches[1].UpstreamID != "" }, patience, time.Millisecond,
		"what is known is stored at once")
	require.Empty(t, h.history(push, "r1").Dispatches[1].UpstreamID)
	require.True(t, h.dispatches(push, 1, storage.DispatchSending))
	h.engageLab.mu.Lock()
	h.engageLab.unmention = nil
	h.engageLab.mu.Unlock()
	h.passUntil(time.Second, func() bool { return h.dispatches(push, 1, storage.DispatchSent) })
	require.Equal(t, []int{4, 2}, h.engageLab.batches)
	require.Len(t, h.once(first), 4)
}

// In a repeated batch a refusal does not say that the message was not taken before: nobody is followed up who may have it.
func TestARefusalInARepeatedBatch(t *testing.T) {
	h, push, _ := due(t, 3)
	lost, heal := h.losing()
	h.start()
	<-lost
	require.Eventually(t, func() bool { return h.dispatches(push, 1, storage.DispatchSending) }, patience, time.Millisecond)
	heal()
	h.engageLab.hook(func(s sending) error {
		if s.ids[0] == "r1" {
			return errRefused
		}
		return nil
	}, nil)
	h.passUntil(time.Second, func() bool { return h.dispatches(push, 1, storage.DispatchUnanswered) })
	report := h.settled(push)
	require.NotEmpty(t, h.history(push, "r2").Dispatches[1].UpstreamID)
	require.Equal(t, storage.ReasonUnanswered, report.Steps[2].CancelReason)
}

// A node that dies between the request and its record leaves a batch that EngageLab may have, in part or as a whole.
func TestABatchOfADeadNode(t *testing.T) {
	for name, recorded := range map[string][]storage.SingleResult{
		"before any result": nil,
		"after a part of it": {{Ordinal: 0, UpstreamID: "u0"}, {Ordinal: 2, Refusal: &storage.Refusal{
			HTTPStatus: 400, Code: 1, Message: "odd",
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			h, push, _ := due(t, 4)
			require.NoError(t, h.store.Lead(t.Context(), 1)) // claims of leaders end with them
			claims := h.claimable()
			require.Len(t, claims, 1)
			d := claims[0].Dispatch
			require.NoError(t, h.store.StartDispatch(t.Context(), storage.DispatchStart{ID: d.ID, Attempt: d.Attempt}))
			if recorded != nil {
				_, err := h.store.FinishDispatch(t.Context(), storage.DispatchResult{
					ID: d.ID, Attempt: d.Attempt, State: storage.DispatchSending, Time: h.clock.Now(), Singles: recorded,
				})
				require.NoError(t, err)
			}
			require.NoError(t, h.store.Lead(t.Context(), 2))
			h.start()
			h.settled(push)
			require.Equal(t, []int{4 - len(recorded)}, h.engageLab.batches)
			require.True(t, h.dispatches(push, 1, storage.DispatchSent))
		})
	}
}

// With a small quota a batch goes out in portions that there is room for in good time.
func TestABatchGoesOutAsTheQuotaAllows(t *testing.T) {
	h, push, first := due(t, 70)
	h.rate = 3
	h.start()
	h.settled(push)
	require.Equal(t, []int{30, 30, 10}, h.engageLab.batches)
	require.Len(t, h.once(first), 70)
}

// What is repeated of a batch is what EngageLab may have. The rest was never on its way: it is decided about as if it were new.
func TestTheRestOfABatchWithALostAnswerCanBeStopped(t *testing.T) {
	for name, stop := range map[string]func(h *house, push storage.Push){
		"by a pause": func(h *house, _ storage.Push) {
			_, err := h.policies.Update(h.t.Context(), 0, "news", func(p policy.Policy) (policy.Policy, error) {
				p.Paused = true
				return p, nil
			})
			require.NoError(h.t, err)
		},
		"by a withdrawal": func(h *house, push storage.Push) {
			_, err := h.service.WithdrawPush(h.t.Context(), app, push.ID)
			require.NoError(h.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, push, first := due(t, 70)
			h.rate = 3
			lost, heal := h.losing()
			h.start()
			for range 30 {
				<-lost
			}
			require.Eventually(t, func() bool { return h.dispatches(push, 1, storage.DispatchSending) }, patience, time.Millisecond)
			stop(h, push)
			heal()
			h.passUntil(time.Second, func() bool { return !h.dispatches(push, 1, storage.DispatchSending) })
			report := h.settled(push)
			require.Equal(t, []int{30, 30}, h.engageLab.batches)
			require.Len(t, h.once(first), 30)
			require.Equal(t, map[storage.DispatchState]int{storage.DispatchCancelled: 1}, report.Steps[1].Dispatches)
			require.Equal(t, 30, report.Steps[1].Targets)
		})
	}
}

// A document that is repeated for everybody must not make a request without bound.
func TestABatchOfLongMessages(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(personal())
	push, first := h.push(5, map[string]any{"extra": strings.Repeat("x", 600<<10)})
	h.pass(3 * time.Hour)
	h.settled(push)
	require.Equal(t, []int{3, 2}, h.engageLab.batches)
	require.Len(t, h.once(first), 5)
}

// The store may fail when the results are known: the batch is repeated, and EngageLab recognises it.
func TestResultsThatCouldNotBeStored(t *testing.T) {
	h, push, first := due(t, 3)
	h.store = &failing{Store: h.store, finishes: 1}
	h.start()
	h.passUntil(time.Minute, func() bool { return h.dispatches(push, 1, storage.DispatchSent) })
	// On a slow machine the test's clock outruns the second try's lease: then there is a third.
	require.GreaterOrEqual(t, len(h.engageLab.batches), 2)
	for _, messages := range h.engageLab.batches {
		require.Equal(t, 3, messages)
	}
	require.Len(t, h.once(first), 3)
}

// failing is a store whose first finishes fail for good.
type failing struct {
	storage.Store
	finishes int
}

var errBroken = errors.New("the disk is gone")

func (f *failing) FinishDispatch(ctx context.Context, result storage.DispatchResult) (storage.Push, error) {
	if f.finishes--; f.finishes >= 0 {
		return storage.Push{}, errBroken
	}
	return f.Store.FinishDispatch(ctx, result)
}

// A withdrawal takes back every message of a batch that EngageLab took, also if there was more to come.
func TestWithdrawTakesBackABatch(t *testing.T) {
	h, push, first := due(t, 4)
	h.engageLab.hook(func(s sending) error {
		if s.ids[0] == "r2" {
			return errBusy
		}
		return nil
	}, nil)
	h.start()
	require.Eventually(t, func() bool { return h.history(push, "r3").Dispatches[1].UpstreamID != "" }, patience, time.Millisecond)
	withdrawn, err := h.service.WithdrawPush(t.Context(), app, push.ID)
	require.NoError(t, err)
	require.Equal(t, storage.PushWithdrawn, withdrawn.State)
	want := []string{first.upstream}
	for _, s := range h.engageLab.sendings[1:] {
		want = append(want, s.upstream)
	}
	require.Len(t, want, 4)
	require.ElementsMatch(t, want, h.engageLab.withdrawn)
	h.settled(push)
}

func TestTemporaryRefusalsOfATarget(t *testing.T) {
	for code, want := range map[int]bool{
		engagelab.CodeOverQuota: true, engagelab.CodeInternal: true, engagelab.CodeTimeout: true,
		engagelab.CodeInvalidParameter: false, engagelab.CodeNoTarget: false, 0: false,
	} {
		require.Equal(t, want, engagelab.BatchResult{Code: code}.Temporary(), code)
	}
}
