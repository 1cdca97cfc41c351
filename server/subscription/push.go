package subscription

import (
	"encoding/json"
	"fmt"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

// Push is what is told of an event's push. It is read only.
type Push struct {
	ID           int64
	App          string
	From         string
	RequestID    string
	PlanID       string
	Platform     []string
	Extras       map[string]any
	External     bool
	Policy       string          // the resend policy's id; empty for none
	CustomArgs   any             // an object or a string, as encoding/json makes it, with json.Number for numbers
	CustomArgsAs json.RawMessage // the same as it came; nil for none
	CallbackURLs []string
}

// PushOf reads what is told of a push from the document that is stored.
func PushOf(push storage.Push) (*Push, error) {
	document, err := engagelab.ParseDocument(push.Document)
	if err != nil {
		return nil, fmt.Errorf("stored document of push %d: %w", push.ID, err)
	}
	p := &Push{
		ID:           push.ID,
		App:          push.App,
		From:         document.From(),
		RequestID:    document.RequestID(),
		PlanID:       document.PlanID(),
		Platform:     document.Platforms(),
		Extras:       document.Extras(),
		External:     push.External,
		CustomArgs:   document.CustomArgs(),
		CustomArgsAs: document.RawCustomArgs(),
		CallbackURLs: push.CallbackURLs,
	}
	if push.Policy != nil {
		p.Policy = push.Policy.Name
	}
	return p, nil
}
