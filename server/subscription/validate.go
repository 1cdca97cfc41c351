package subscription

import "strings"

// Violation is one fault of a subscription. Field is its path in the API, such as "secrets[1]".
type Violation struct {
	Field       string
	Description string
}

// InvalidError lists every fault of a subscription.
type InvalidError struct {
	Violations []Violation
}

// Error names all violations.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		texts[i] = v.Field + ": " + v.Description
	}
	return "invalid subscription: " + strings.Join(texts, "; ")
}

// Validate returns an *InvalidError that lists every fault of the subscription, or nil.
func (s Subscription) Validate() error {
	_, err := Compile(s)
	return err
}
