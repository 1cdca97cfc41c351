package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"susul.dev/susul/server/effect"
	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// wording is what one recipient gets of a step.
type wording struct {
	variant int
	// content is laid over the push, in the encoding of package policy; empty leaves the text of the first sending.
	content string
	// plain says that a template failed, with failure, and the step's plain content was taken.
	plain   bool
	failure error
	// none says that there was no plain content either.
	none bool
}

// words chooses and renders a step's contents. It is for one goroutine.
type words struct {
	*followUp
	variants  []*policy.CompiledVariant
	shares    []float64 // of the variants, relative to each other
	variables policy.Variables
	seed      []string // of the hash that assigns the variants, without the recipient
	// shared are the contents that are the same for all who get them, by variant, once somebody does.
	shared []map[*policy.CompiledContent]wording
}

func (f *followUp) newWords(ctx context.Context) (*words, error) {
	w := &words{
		followUp: f,
		variants: f.step.Variants(),
		variables: policy.Variables{
			Push: f.document.Members(), CustomArgs: f.document.CustomArgs(), Step: f.number,
		},
		seed: []string{"variant", f.terms.UID, strconv.Itoa(f.number), strconv.FormatInt(f.push.ID, 10)},
	}
	for range w.variants {
		w.shared = append(w.shared, make(map[*policy.CompiledContent]wording))
	}
	var err error
	w.shares, err = f.variantShares(ctx)
	return w, err
}

// variantShares are the variants' weights, or what was measured makes of them.
func (f *followUp) variantShares(ctx context.Context) ([]float64, error) {
	variants, step := f.step.Variants(), f.terms.Steps[f.number-1]
	shares := make([]float64, len(variants))
	if len(variants) == 1 {
		return shares, nil
	}
	if !step.Optimize {
		weights := 0
		for i, variant := range variants {
			shares[i] = float64(variant.Weight)
			weights += variant.Weight
		}
		for i := range shares {
			if weights == 0 {
				shares[i] = 1
			}
		}
		return shares, nil
	}
	measured, err := f.service.Store.SumMeasurements(ctx, f.terms.UID, f.terms.StepKey(f.number), f.measuredSince())
	if err != nil {
		return nil, err
	}
	counts := make([]effect.Count, len(variants))
	for i, variant := range variants {
		counts[i] = countOf(measured.Groups[storage.Group{Variant: variant.ID}])
	}
	// A step that is planned in several goes draws the same numbers each time.
	source := rand.NewPCG(uint64(f.push.ID), uint64(f.number))
	return effect.Allocate(counts, effect.Draws, source), nil
}

// measuredSince is from when measurements of the step count: that is said by the policy as it is now.
func (f *followUp) measuredSince() time.Time {
	live, ok := f.service.Policies.Snapshot().Get(f.terms.ID)
	if ok && live.Policy.UID == f.terms.UID && f.number <= len(live.Policy.Steps) {
		return live.Policy.Steps[f.number-1].MeasuredSince
	}
	return f.terms.Steps[f.number-1].MeasuredSince
}

// variantOf assigns a variant: the same one each time, as long as the shares are the same.
func (w *words) variantOf(registrationID string) int {
	if len(w.variants) == 1 {
		return 0
	}
	return effect.Pick(w.shares, effect.Unit(append(w.seed, registrationID)...))
}

// wordingFor renders the step for a recipient, or once for all if it says nothing personal.
func (w *words) wordingFor(recipient storage.Recipient, device policy.Device) wording {
	variant := w.variantOf(recipient.RegistrationID)
	content := w.variants[variant].For(recipient.Progress.InAnyStep())
	if content.Personal() {
		variables := w.variables
		variables.Device = device
		return w.render(variant, content, variables)
	}
	shared, ok := w.shared[variant][content]
	if !ok {
		shared = w.render(variant, content, w.variables)
		w.shared[variant][content] = shared
	}
	return shared
}

// render falls back on the plain content where a template fails: a broken text is never sent.
func (w *words) render(variant int, content *policy.CompiledContent, variables policy.Variables) wording {
	rendered, err := content.Render(variables)
	if err == nil {
		return wording{variant: variant, content: string(rendered.Encode())}
	}
	plain := wording{variant: variant, plain: true, failure: err}
	if rendered, ok := w.variants[variant].Plain(); ok {
		plain.content = string(rendered.Encode())
	} else {
		plain.none = !w.document.HasContent()
	}
	return plain
}

// layContent lays a follow-up's rendered content over the push.
func layContent(document engagelab.Document, content []byte) (engagelab.Document, error) {
	if len(content) == 0 {
		return document, nil
	}
	rendered, err := policy.DecodeRendered(content)
	if err != nil {
		return engagelab.Document{}, fmt.Errorf("stored content: %w", err)
	}
	return document.Overlay(rendered.Title, rendered.Alert, rendered.Overlay)
}

// collapseID is what tells Apple's devices that a message of the push takes the place of the one before; empty where
// notifications may stand beside each other.
func collapseID(terms policy.Policy, push storage.Push) string {
	if terms.Stack {
		return ""
	}
	return strconv.FormatInt(push.ID, 10)
}

// pinnedCollapseID is that of a push under the policy that it is pinned to; empty without one.
func (s *Service) pinnedCollapseID(push storage.Push) string {
	pinned, err := s.compiled.get(push.Policy)
	if err != nil {
		return ""
	}
	return collapseID(pinned.Policy, push)
}
