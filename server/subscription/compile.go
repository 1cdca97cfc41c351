package subscription

// Compiled is a subscription that is ready to select events. It is immutable; callers must not change what they reach through it.
type Compiled struct {
	Subscription Subscription
	Filter       *Filter // nil selects all
}

// Compile prepares a subscription. Its error is an *InvalidError that lists every fault.
func Compile(s Subscription) (*Compiled, error) {
	var f faults
	f.all(s)
	filter := f.filter(s.Filter)
	if len(f) > 0 {
		return nil, &InvalidError{Violations: f}
	}
	return &Compiled{Subscription: s, Filter: filter}, nil
}
