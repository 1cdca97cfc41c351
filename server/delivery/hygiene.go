package delivery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"susul.dev/susul/server/engagelab"
	"susul.dev/susul/storage"
)

const (
	// deletePoll is how often, in the clock's time, it is looked for invalid devices that EngageLab still has.
	deletePoll = time.Hour

	// deletePage is how many devices are deleted before that is noted.
	deletePage = 100
)

// deadTokens says which failures mean that a device's token is dead, and why. A status says more than a code, and that more than
// what stands in a message.
type deadTokens struct {
	byName map[string]string
	byCode map[int]string
}

// knownDeadTokens is the table of what tells of dead tokens: statuses and words of error messages, lower-cased, and error codes, in
// decimal. EngageLab documents no codes; it hands on what APNs and FCM say. Configuration adds to the table; an empty reason takes
// an entry away.
func knownDeadTokens(extra map[string]string) deadTokens {
	reasons := map[string]string{
		"target_invalid":         "INVALID_TARGET",
		"unregistered":           "UNREGISTERED", // APNs, FCM
		"notregistered":          "UNREGISTERED", // FCM, in its earlier protocol
		"baddevicetoken":         "BAD_TOKEN",    // APNs
		"devicetokennotfortopic": "BAD_TOKEN",    // APNs
	}
	for name, reason := range extra {
		reasons[strings.ToLower(strings.TrimSpace(name))] = reason
	}
	table := deadTokens{byName: make(map[string]string), byCode: make(map[int]string)}
	for name, reason := range reasons {
		if reason == "" {
			continue
		}
		if code, err := strconv.Atoi(name); err == nil {
			table.byCode[code] = reason
		} else {
			table.byName[name] = reason
		}
	}
	return table
}

// reason returns why a failure means that the token is dead; empty if it does not.
func (t deadTokens) reason(status string, code int, message string) string {
	if reason := t.byName[status]; reason != "" {
		return reason
	}
	if reason := t.byCode[code]; reason != "" && code != 0 {
		return reason
	}
	between := func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for word := range strings.FieldsFuncSeq(message, between) {
		if reason := t.byName[strings.ToLower(word)]; reason != "" {
			return reason
		}
	}
	return ""
}

// invalidAmong returns the places of those whose devices are invalid, ascending.
func (s *Service) invalidAmong(ctx context.Context, app string, registrationIDs []string) ([]uint32, error) {
	if len(registrationIDs) == 0 {
		return nil, nil
	}
	invalid, err := s.Store.InvalidDevices(ctx, app, registrationIDs)
	if err != nil || len(invalid) == 0 {
		return nil, err
	}
	return placesAmong(registrationIDs, invalid), nil
}

// placesAmong returns the places of some of the ids, which are in the order of the ids.
func placesAmong(ids, some []string) []uint32 {
	places := make([]uint32, 0, len(some))
	for i, id := range ids {
		if len(places) < len(some) && some[len(places)] == id {
			places = append(places, uint32(i))
		}
	}
	return places
}

// without returns the numbers from 0 to below n that are not among the given, which ascend.
func without(n int, left []uint32) []uint32 {
	rest := make([]uint32, 0, n-len(left))
	for i := range uint32(n) {
		if len(left) > 0 && left[0] == i {
			left = left[1:]
			continue
		}
		rest = append(rest, i)
	}
	return rest
}

// decideFirst leaves devices out of a first sending that have become invalid since the push was accepted. Chunk 0 goes to
// them all the same if nobody else is in it: everything that is still to come of the push waits for that.
func (s *Service) decideFirst(ctx context.Context, claim storage.Claim) (verdict, error) {
	invalid, err := s.invalidAmong(ctx, claim.Push.App, registrationIDs(claim.Recipients))
	if err != nil {
		return verdict{}, err
	}
	if len(invalid) == 0 || len(invalid) == len(claim.Recipients) && claim.Dispatch.Chunk == 0 {
		return verdict{kept: claim.Recipients, singles: claim.Dispatch.Singles}, nil
	}
	v := verdict{passedOver: storage.PassedOver{}}
	for _, i := range invalid {
		v.passedOver[storage.ReasonInvalidDevice] = append(v.passedOver[storage.ReasonInvalidDevice], claim.Recipients[i].Ordinal)
	}
	for _, i := range without(len(claim.Recipients), invalid) {
		v.keep(claim, int(i))
	}
	if len(v.kept) == 0 {
		v.state, v.reason = storage.DispatchSkipped, storage.ReasonNobodyLeft
	}
	return v, nil
}

// runDeletion deletes an app's invalid devices at EngageLab, until the context ends or the store is fenced. What is not deleted
// for an error stays for the next time.
func (s *Service) runDeletion(ctx context.Context, app string) error {
	for ctx.Err() == nil {
		deleted, err := s.deleteInvalid(ctx, app)
		if deleted > 0 {
			s.Logger.Info("invalid devices deleted at EngageLab", "app", app, "devices", deleted)
		}
		switch {
		case errors.Is(err, storage.ErrFenced):
			return err
		case err != nil && ctx.Err() == nil:
			s.Logger.Warn("invalid devices can't be deleted at EngageLab; it will be tried again", "app", app, "error", err)
		}
		s.pass(ctx, deletePoll, nil)
	}
	return nil
}

// deleteInvalid goes once through the devices that EngageLab still has.
func (s *Service) deleteInvalid(ctx context.Context, app string) (deleted int, err error) {
	for after := ""; ; {
		devices, err := s.Store.ListInvalidDevices(ctx, storage.InvalidQuery{
			App: app, After: after, Undeleted: true, Limit: deletePage,
		})
		if err != nil || len(devices) == 0 {
			return deleted, err
		}
		gone, failure := s.deleteDevices(ctx, app, devices)
		if len(gone) > 0 {
			// What EngageLab has deleted is worth noting also when the time for requests is over.
			err = s.Store.MarkDevicesDeleted(context.WithoutCancel(ctx), app, gone, s.Clock.Now())
		}
		if err = errors.Join(failure, err); err != nil {
			return deleted, err
		}
		deleted += len(gone)
		after = devices[len(devices)-1].RegistrationID
	}
}

// deleteDevices returns those that EngageLab does not have any more. One that it refuses to delete keeps no other; it stays for
// the next time.
func (s *Service) deleteDevices(ctx context.Context, app string, devices []storage.Device) (gone []string, err error) {
	ctx = engagelab.Yielding(ctx)
	for _, device := range devices {
		err := s.deleteDevice(ctx, app, device.RegistrationID)
		switch refusal := permanent(err); {
		case err == nil:
			gone = append(gone, device.RegistrationID)
		case !refused(err):
			return gone, err
		default:
			s.Logger.Warn("EngageLab refuses to delete an invalid device", "app", app,
				"registration_id", device.RegistrationID, "code", refusal.Code, "message", refusal.Message)
		}
	}
	return gone, nil
}

func (s *Service) deleteDevice(ctx context.Context, app, registrationID string) error {
	ctx, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	return s.Apps[app].Sender.DeleteDevice(ctx, registrationID)
}

// deletingApps are the apps whose invalid devices are to be deleted at EngageLab, in order.
func (s *Service) deletingApps() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Apps)), func(app string) bool { return !s.Apps[app].DeleteInvalidDevices })
}
