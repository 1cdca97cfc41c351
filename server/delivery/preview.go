package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// previewedByDefault is how many recipients a preview shows that names none.
const previewedByDefault = 5

// Errors of previews.
var (
	// ErrNoPolicy says that the push has no resend policy, and none was given.
	ErrNoPolicy = errors.New("the push has no resend policy")

	// ErrNoStep says that the policy has no such step.
	ErrNoStep = errors.New("the resend policy has no such step")
)

// UnknownRecipientsError says which of the registration ids that were asked about are no recipients of the push.
type UnknownRecipientsError struct {
	Places []int
}

// Error counts them.
func (e *UnknownRecipientsError) Error() string {
	return fmt.Sprintf("%d of the registration ids are no recipients of the push", len(e.Places))
}

// PreviewRequest asks who would get a step now.
type PreviewRequest struct {
	App    string
	PushID int64
	// Policy is what is previewed; nil for what the push is pinned to.
	Policy *policy.Compiled
	Step   int
	// RegistrationIDs are the recipients to render for; none for some who would get it.
	RegistrationIDs []string
}

// Preview is who would get a step now.
type Preview struct {
	Eligible   int
	Deferred   int // those of the eligible who would get it at the end of their quiet hours
	PassedOver map[storage.Reason]int
	QuotaUnits int
	Recipients []RecipientPreview
}

// RecipientPreview is a step as one recipient would get it.
type RecipientPreview struct {
	RegistrationID string
	Reason         storage.Reason // why it would be passed over; empty if it would get it
	SendTime       time.Time
	Variant        string
	Document       []byte // EngageLab's push object, without whom it is for
	TemplateError  string
}

// PreviewStep plans a step as if it were due now, and stores nothing. It returns storage.ErrNotFound, ErrNoPolicy, ErrNoStep or
// an *UnknownRecipientsError for what the caller must mend.
func (s *Service) PreviewStep(ctx context.Context, req PreviewRequest) (Preview, error) {
	push, err := s.Store.GetPush(ctx, req.App, req.PushID)
	if err != nil {
		return Preview{}, err
	}
	compiled := req.Policy
	if compiled == nil {
		if push.Policy == nil {
			return Preview{}, ErrNoPolicy
		}
		if compiled, err = s.compiled.get(push.Policy); err != nil {
			return Preview{}, err
		}
	}
	if req.Step > len(compiled.Steps) {
		return Preview{}, ErrNoStep
	}
	asked, err := s.askedRecipients(ctx, push, req.RegistrationIDs)
	if err != nil {
		return Preview{}, err
	}
	plan, err := s.newStepPlanner(ctx, push, compiled, req.Step)
	if err != nil {
		return Preview{}, err
	}
	preview, first, err := plan.preview(ctx)
	if err != nil {
		return Preview{}, err
	}
	if len(req.RegistrationIDs) == 0 {
		asked = first
	}
	for _, recipient := range asked {
		shown, err := plan.previewFor(ctx, recipient)
		if err != nil {
			return Preview{}, err
		}
		preview.Recipients = append(preview.Recipients, shown)
	}
	return preview, nil
}

// askedRecipients finds recipients, in the order of the ids.
func (s *Service) askedRecipients(ctx context.Context, push storage.Push, registrationIDs []string) ([]storage.Recipient, error) {
	if len(registrationIDs) == 0 {
		return nil, nil
	}
	found, err := s.Store.FindRecipients(ctx, push.ID, registrationIDs)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]storage.Recipient, len(found))
	for _, recipient := range found {
		byID[recipient.RegistrationID] = recipient
	}
	asked := make([]storage.Recipient, len(registrationIDs))
	unknown := &UnknownRecipientsError{}
	for i, id := range registrationIDs {
		recipient, ok := byID[id]
		if !ok {
			unknown.Places = append(unknown.Places, i)
		}
		asked[i] = recipient
	}
	if len(unknown.Places) > 0 {
		return nil, unknown
	}
	return asked, nil
}

// preview counts what planning would decide, slice by slice, and returns the first who would get the step.
func (p *stepPlanner) preview(ctx context.Context) (Preview, []storage.Recipient, error) {
	preview := Preview{PassedOver: make(map[storage.Reason]int)}
	var first []storage.Recipient
	for from, done := uint32(0), false; !done; {
		recipients, err := p.service.Store.ScanRecipients(ctx, p.push.ID, from, planSlice)
		if err != nil {
			return Preview{}, nil, err
		}
		slice, err := p.slice(ctx, recipients, from)
		if err != nil {
			return Preview{}, nil, err
		}
		var eligible []uint32
		for _, draft := range slice.Dispatches {
			preview.QuotaUnits += draft.Units()
			preview.Eligible += len(draft.Recipients)
			if draft.DueTime.After(slice.Time) {
				preview.Deferred += len(draft.Recipients)
			}
			eligible = append(eligible, draft.Recipients...)
		}
		for reason, ordinals := range slice.PassedOver {
			preview.PassedOver[reason] += len(ordinals)
		}
		slices.Sort(eligible)
		for _, recipient := range recipients {
			if len(eligible) == 0 || len(first) == previewedByDefault {
				break
			}
			if recipient.Ordinal == eligible[0] {
				first, eligible = append(first, recipient), eligible[1:]
			}
		}
		from, done = slice.Through, slice.Done
	}
	return preview, first, nil
}

// previewFor tells what one recipient would get.
func (p *stepPlanner) previewFor(ctx context.Context, recipient storage.Recipient) (RecipientPreview, error) {
	j, err := p.judge(ctx, []storage.Recipient{recipient}, p.service.Clock.Now())
	if err != nil {
		return RecipientPreview{}, err
	}
	shown := RecipientPreview{RegistrationID: recipient.RegistrationID, Reason: j.rulings[0].reason}
	if shown.Reason != "" {
		return shown, nil
	}
	replaced, err := p.replaced(ctx, j)
	if err != nil {
		return RecipientPreview{}, err
	}
	said := p.words.wordingFor(recipient, j.device(0))
	shown.Variant = p.words.variants[said.variant].ID
	if said.failure != nil {
		shown.TemplateError = said.failure.Error()
	}
	if said.none {
		shown.Reason = storage.ReasonTemplateFailed
		return shown, nil
	}
	shown.SendTime = j.rulings[0].sendTime.UTC()
	shown.Document, err = p.documentFor(ctx, said.content, replaced.before(recipient.Ordinal))
	return shown, err
}

// documentFor is what EngageLab would get, but for whom it is for and where to report.
func (p *stepPlanner) documentFor(ctx context.Context, content, override string) ([]byte, error) {
	document, err := layContent(p.document, []byte(content))
	if err != nil {
		return nil, err
	}
	request := engagelab.Request{CollapseID: collapseID(p.terms, p.push)}
	if request.OverrideMsgID, err = p.service.overrideFor(ctx, p.push.App, document, override); err != nil {
		return nil, err
	}
	data, err := document.For(request)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	delete(members, "to")
	return json.Marshal(members)
}
