package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The kill switches are in etcd beside the policies; the app's key stands between the two.
const (
	switchPrefix = root + "apps/"
	switchSuffix = "/followUpSwitch"
)

// Switch is an app's kill switch for follow-ups.
type Switch struct {
	App string `json:"-"` // in the key
	// Stopped lets no follow-ups go out.
	Stopped    bool      `json:"stopped,omitempty"`
	Note       string    `json:"note,omitempty"`
	UpdateTime time.Time `json:"update_time,omitzero"`
}

// SwitchKey is where an app's switch is in etcd.
func SwitchKey(app string) string { return switchPrefix + app + switchSuffix }

// switchOf returns the app whose switch a key holds.
func switchOf(key string) (app string, ok bool) {
	app, ok = strings.CutPrefix(key, switchPrefix)
	if !ok {
		return "", false
	}
	app, ok = strings.CutSuffix(app, switchSuffix)
	return app, ok && app != "" && !strings.Contains(app, "/")
}

// FollowUpsStopped reports whether the app's follow-ups are stopped.
func (s *Snapshot) FollowUpsStopped(app string) bool { return s.switches[app].Stopped }

// Switch returns the app's switch, if it was ever set.
func (s *Snapshot) Switch(app string) (Switch, bool) {
	w, ok := s.switches[app]
	return w, ok
}

// SetSwitch replaces an app's switch, and stamps it. It returns ErrUnavailable; like the other writes it returns when this
// node's snapshot has the change, or can't get it within 5 s.
func (s *Store) SetSwitch(ctx context.Context, w Switch) (Switch, error) {
	w.UpdateTime = s.now()
	value, err := encode(w)
	if err != nil {
		return Switch{}, fmt.Errorf("encode switch: %w", err)
	}
	if err := s.replica.Set(ctx, SwitchKey(w.App), value); err != nil {
		return Switch{}, err
	}
	return w, nil
}

func decodeSwitch(app string, value []byte) (Switch, error) {
	w := Switch{App: app}
	if err := json.Unmarshal(value, &w); err != nil {
		return Switch{}, fmt.Errorf("decode switch: %w", err)
	}
	return w, nil
}
