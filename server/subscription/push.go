package subscription

import "encoding/json"

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
