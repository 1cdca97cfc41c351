package delivery

import (
	"errors"
	"fmt"
	"sync"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

// maxCompiled bounds the pinned policies that are kept compiled.
const maxCompiled = 256

// errNoPolicy says that a step belongs to a push without a usable policy; such a step can't have been made by CreatePush.
var errNoPolicy = errors.New("the push has no usable policy")

// pin freezes a policy for a push.
func pin(chosen *policy.Compiled) *storage.PinnedPolicy {
	return &storage.PinnedPolicy{
		Name: chosen.Policy.ID, UID: chosen.Policy.UID, Revision: chosen.Policy.Revision, Spec: chosen.Spec(),
	}
}

// compiledPolicies keeps pinned policies ready for use, by their revision.
type compiledPolicies struct {
	mu    sync.Mutex
	byKey map[string]*policy.Compiled
}

func (c *compiledPolicies) get(pinned *storage.PinnedPolicy) (*policy.Compiled, error) {
	if pinned == nil {
		return nil, errNoPolicy
	}
	key := fmt.Sprintf("%s/%d", pinned.UID, pinned.Revision)
	c.mu.Lock()
	defer c.mu.Unlock()
	if compiled, ok := c.byKey[key]; ok {
		return compiled, nil
	}
	spec, err := policy.Decode(pinned.Spec, pinned.Revision)
	if err != nil {
		return nil, fmt.Errorf("stored policy %s: %w", pinned.Name, err)
	}
	compiled, err := policy.Compile(spec)
	if err != nil {
		return nil, fmt.Errorf("stored policy %s: %w", pinned.Name, err)
	}
	if c.byKey == nil || len(c.byKey) >= maxCompiled {
		c.byKey = make(map[string]*policy.Compiled)
	}
	c.byKey[key] = compiled
	return compiled, nil
}
