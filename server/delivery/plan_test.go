package delivery_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// options are the push options of a request.
func (s sending) options() map[string]any {
	body, _ := s.document.Members()["body"].(map[string]any)
	options, _ := body["options"].(map[string]any)
	return options
}

// Those whose text is their own go in batches; one that would be alone in its batch, and those who share a text, in ordinary
// messages.
func TestSinglesAreGatheredInBatches(t *testing.T) {
	for name, c := range map[string]struct {
		personal, shared int
		batches          []int
		messages         []int
	}{
		"nobody's own":    {0, 3, nil, []int{3}},
		"one alone":       {1, 3, nil, []int{3, 1}},
		"two alone":       {2, 2, []int{2}, []int{2}},
		"a full batch":    {500, 0, []int{500}, nil},
		"and one more":    {501, 0, []int{500}, []int{1}},
		"several batches": {1200, 10, []int{500, 500, 200}, []int{10}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := oneStep()
			p.Steps[0].Contents = says(policy.Content{Alert: `{{ device.attributes.own | default: "ours" }}`})
			p.Stack = true
			h.createPolicy(p)
			var devices []storage.Device
			for i := range c.personal {
				devices = append(devices, storage.Device{
					RegistrationID: fmt.Sprintf("r%d", i), Attributes: fmt.Appendf(nil, `{"own":"text %d"}`, i),
				})
			}
			require.NoError(t, h.store.SetDevices(t.Context(), app, devices, h.clock.Now()))
			push, _ := h.push(c.personal+c.shared, nil)
			book := h.planned(push, 3*time.Hour)
			var batches, messages []int
			units := 0
			for _, request := range book.drafts(push, 1) {
				units += request.Units()
				if request.Singles == nil {
					messages = append(messages, len(request.Recipients))
					continue
				}
				require.Empty(t, request.Content)
				require.Len(t, request.Singles, len(request.Recipients))
				require.LessOrEqual(t, len(request.Singles), engagelab.MaxBatchTargets)
				batches = append(batches, len(request.Singles))
			}
			require.Equal(t, c.batches, batches)
			require.Equal(t, c.messages, messages)
			require.Equal(t, c.personal+min(c.shared, 1), units)
			alerts := book.alerts(t, push, 1)
			require.Len(t, alerts, c.personal+c.shared)
			for i := range c.personal {
				require.Equal(t, fmt.Sprintf("text %d", i), alerts[uint32(i)])
			}
		})
	}
}

// Messages of one batch agree in all but what they say and replace.
func TestABatchHasOneVariantAndTime(t *testing.T) {
	h := newHouse(t)
	p := quiet("22:00", "07:00")
	p.Steps[0].Contents = policy.Contents{}
	for _, id := range []string{"a", "b"} {
		p.Steps[0].Variants = append(p.Steps[0].Variants, policy.Variant{
			ID: id, Contents: says(policy.Content{Alert: "{{ device.registration_id }}"}),
		})
	}
	h.createPolicy(p)
	zones := []string{"Asia/Jakarta", "Asia/Tokyo", "Europe/Berlin", "Asia/Bangkok"}
	const n = 200
	for i := range n {
		h.knows(fmt.Sprintf("r%d", i), nil, zones[i%len(zones)])
	}
	h.at(in(t, "Asia/Jakarta", "2026-03-10 23:30")) // Bangkok's clock shows the same
	push, _ := h.push(n, nil)
	book := h.planned(push, 3*time.Hour)
	requests := book.drafts(push, 1)
	require.Len(t, requests, 2*len(zones))
	for _, request := range requests {
		for _, ordinal := range request.Recipients {
			require.Equal(t, request.Recipients[0]%uint32(len(zones)), ordinal%uint32(len(zones)), "a time zone")
		}
	}
	require.Len(t, book.alerts(t, push, 1), n)
}

func TestFollowUpsReplaceTheEarlierMessage(t *testing.T) {
	h := newHouse(t)
	h.createPolicy(news())
	push, first := h.push(3, nil)
	id := strconv.FormatInt(push.ID, 10)
	require.Equal(t, map[string]any{"time_to_live": json.Number("600"), "cid": first.cid, "apns_collapse_id": id}, first.options())
	h.settled(push)
	h.buries(first, "r2") // so that it misses step 1
	h.pass(3 * time.Hour)
	second := h.next()
	require.Equal(t, json.Number(first.upstream), second.options()["override_msg_id"])
	require.Equal(t, id, second.options()["apns_collapse_id"])
	h.settled(push)
	_, err := h.store.ReviveDevices(t.Context(), app, []string{"r2"}, h.clock.Now())
	require.NoError(t, err)
	h.pass(2 * time.Hour)
	replaced := map[string]any{}
	for range 2 {
		s := h.next()
		for _, id := range s.ids {
			replaced[id] = s.options()["override_msg_id"]
		}
	}
	require.Equal(t, map[string]any{
		"r0": json.Number(second.upstream), "r1": json.Number(second.upstream), "r2": json.Number(first.upstream),
	}, replaced, "each the latest that the device has")
}

func TestWhatTheDocumentReplacesItselfIsLeftAlone(t *testing.T) {
	body := func(options map[string]any) map[string]any {
		return map[string]any{"body": map[string]any{
			"notification": map[string]any{"android": map[string]any{"title": "News", "alert": "Read it"}}, "options": options,
		}}
	}
	own := map[string]any{"override_msg_id": 7, "apns_collapse_id": "mine"}
	for name, c := range map[string]struct {
		change          func(p *policy.Policy)
		options         map[string]any
		first, followUp map[string]any // the options, but for the cid
	}{
		"the document's": {nil, own,
			map[string]any{"override_msg_id": json.Number("7"), "apns_collapse_id": "mine"},
			map[string]any{"override_msg_id": json.Number("7"), "apns_collapse_id": "mine"}},
		"the overlay's": {
			func(p *policy.Policy) {
				p.Steps[0].Contents = says(policy.Content{Overlay: json.RawMessage(`{"body":{"options":{"override_msg_id":"9","apns_collapse_id":"other"}}}`)})
			}, nil,
			map[string]any{"apns_collapse_id": "ID"},
			map[string]any{"override_msg_id": "9", "apns_collapse_id": "other"}},
		"stacked": {func(p *policy.Policy) { p.Stack = true }, nil, map[string]any{}, map[string]any{}},
		"stacked with own": {func(p *policy.Policy) { p.Stack = true }, own,
			map[string]any{"override_msg_id": json.Number("7"), "apns_collapse_id": "mine"},
			map[string]any{"override_msg_id": json.Number("7"), "apns_collapse_id": "mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			p := oneStep()
			if c.change != nil {
				c.change(&p)
			}
			h.createPolicy(p)
			push, first := h.push(2, body(c.options))
			h.settled(push)
			h.pass(3 * time.Hour)
			for sent, want := range map[*map[string]any]map[string]any{ptr(first.options()): c.first, ptr(h.next().options()): c.followUp} {
				delete(*sent, "cid")
				if want["apns_collapse_id"] == "ID" {
					want["apns_collapse_id"] = strconv.FormatInt(push.ID, 10)
				}
				require.Equal(t, want, *sent)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// A push without a policy reaches EngageLab as it came.
func TestNothingIsAddedWithoutAPolicy(t *testing.T) {
	h := newHouse(t)
	_, s := h.push(2, map[string]any{"custom_args": "none"})
	require.Equal(t, map[string]any{"time_to_live": json.Number("600"), "cid": s.cid}, s.options())
}

// A plan of several slices counts its chunks on, in whatever groups.
func TestChunksOfSlices(t *testing.T) {
	h := newHouse(t)
	p := oneStep()
	p.Steps[0].Contents = says(policy.Content{Alert: "{{ device.registration_id | slice: 1 }}"}) // 0…9
	h.createPolicy(p)
	const n = 12_000
	push, _ := h.push(n, nil)
	for range n/1000 - 1 {
		h.next()
	}
	book := h.planned(push, 3*time.Hour)
	require.Len(t, book.plans, 2)
	chunks := make(map[int]bool)
	for _, draft := range book.drafts(push, 1) {
		require.False(t, chunks[draft.Chunk], "no chunk is used twice")
		chunks[draft.Chunk] = true
	}
	require.Len(t, h.requests(push, 1), len(chunks))
	require.Len(t, book.alerts(t, push, 1), n)
}
