package subscription

import (
	"encoding/json"

	"susul.dev/susul/storage"
)

// Push is what is told of an event's push.
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
	CustomArgs   any             // an object or a string, as encoding/json makes it
	CustomArgsAs json.RawMessage // the same as it came; nil for none
	CallbackURLs []string
}

// PushOf reads what is told of a push from the document that is stored.
func PushOf(push storage.Push) (*Push, error) { return &Push{ID: push.ID, App: push.App}, nil }
