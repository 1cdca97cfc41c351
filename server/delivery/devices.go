package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"susul.dev/susul/server/policy"
	"susul.dev/susul/storage"
)

const (
	// maxAttributes bounds the attributes of a device, in bytes of JSON.
	maxAttributes = 8 << 10

	// maxRegistrationID bounds a registration id, in bytes: callbacks keep no more of it.
	maxRegistrationID = maxID
)

// DeviceFault is one fault of one of several devices.
type DeviceFault struct {
	Index       int
	Field       string // of the device
	Description string
}

// CheckDevices returns every fault of devices that are to be set together.
func CheckDevices(devices []storage.Device) []DeviceFault {
	var faults []DeviceFault
	first := make(map[string]int, len(devices))
	zones := make(map[string]bool) // loading one takes its time, and many devices share it
	for i, device := range devices {
		add := func(field, format string, args ...any) {
			faults = append(faults, DeviceFault{i, field, fmt.Sprintf(format, args...)})
		}
		if len(device.RegistrationID) > maxRegistrationID {
			add("registration_id", "has more than %d bytes", maxRegistrationID)
		}
		if strings.Contains(device.RegistrationID, "\x00") { // which not every database can store
			add("registration_id", "must not have the character U+0000")
		}
		if earlier, twice := first[device.RegistrationID]; twice {
			add("registration_id", "is that of devices[%d] too", earlier)
		} else {
			first[device.RegistrationID] = i
		}
		if len(device.Attributes) > maxAttributes {
			add("attributes", "are %d bytes of JSON, more than %d", len(device.Attributes), maxAttributes)
		}
		if _, asked := zones[device.TimeZone]; !asked {
			zones[device.TimeZone] = policy.IsTimeZone(device.TimeZone)
		}
		if !zones[device.TimeZone] {
			add("time_zone", "%q is no IANA time zone, such as Asia/Jakarta", device.TimeZone)
		}
		if device.Locale != "" && !isLanguageTag(device.Locale) {
			add("locale", "%q is no BCP 47 language tag, such as id-ID", device.Locale)
		}
	}
	return faults
}

func isLanguageTag(text string) bool {
	_, err := language.Parse(text)
	return err == nil && !strings.Contains(text, "_") // which Parse lets pass
}

// SetDevices stores what is known of an app's devices, all or nothing. CheckDevices must have found no fault in them.
func (s *Service) SetDevices(ctx context.Context, app string, devices []storage.Device) error {
	return s.Store.SetDevices(ctx, app, devices, s.Clock.Now())
}

// GetDevice returns what is known of a device, or storage.ErrNotFound.
func (s *Service) GetDevice(ctx context.Context, app, registrationID string) (storage.Device, error) {
	found, err := s.Store.GetDevices(ctx, app, []string{registrationID})
	if err == nil && len(found) == 0 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return storage.Device{}, err
	}
	return found[0], nil
}

// DeleteDevice forgets what is known of a device, or returns storage.ErrNotFound.
func (s *Service) DeleteDevice(ctx context.Context, app, registrationID string) error {
	return s.Store.DeleteDevice(ctx, app, registrationID)
}

// ListInvalidDevices returns a page of the devices that get nothing any more.
func (s *Service) ListInvalidDevices(ctx context.Context, q storage.InvalidQuery) ([]storage.Device, error) {
	return s.Store.ListInvalidDevices(ctx, q)
}

// ReviveDevices makes devices valid again, and returns how many were not.
func (s *Service) ReviveDevices(ctx context.Context, app string, registrationIDs []string) (int, error) {
	ids := slices.Clone(registrationIDs)
	slices.Sort(ids)
	return s.Store.ReviveDevices(ctx, app, slices.Compact(ids), s.Clock.Now())
}
