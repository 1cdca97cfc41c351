package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"susul.dev/susul/storage"
)

// idsAtOnce is how many registration ids one statement, or one look into memory, is about.
const idsAtOnce = 1000

var upsertDevices = bulk{`INSERT INTO device (app_id, registration_id, update_time, time_zone, locale, attributes)`, 6,
	`ON CONFLICT (app_id, registration_id) DO UPDATE SET update_time = excluded.update_time, time_zone = excluded.time_zone,
	locale = excluded.locale, attributes = excluded.attributes`}

// SetDevices implements storage.Devices. All calls together have one write in the queue at a time, so that callbacks wait
// for one at most.
func (s *Store) SetDevices(ctx context.Context, app string, devices []storage.Device, now time.Time) error {
	if len(devices) == 0 {
		return nil
	}
	select {
	case s.setting <- struct{}{}:
		defer func() { <-s.setting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// Neighbours share pages of the index.
	order := make([]*storage.Device, len(devices))
	for i := range devices {
		order[i] = &devices[i]
	}
	slices.SortStableFunc(order, func(a, b *storage.Device) int { return cmp.Compare(a.RegistrationID, b.RegistrationID) })
	_, err := write(ctx, s, func(t *tx) (int64, error) {
		id, err := t.appID(app)
		if err != nil {
			return 0, err
		}
		return upsertDevices.exec(t, len(order), func(args []any, i int) []any {
			d := order[i]
			return append(args, id, d.RegistrationID, now.UnixMilli(), d.TimeZone, d.Locale, blob(d.Attributes))
		})
	})
	return err
}

const (
	selectDevices = `SELECT registration_id, update_time, time_zone, locale, attributes FROM device
		WHERE app_id = ? AND registration_id IN ` + listed

	invalidColumns = `reason, time, status, error_code, error_message, delete_time`

	selectInvalidity = `SELECT registration_id, ` + invalidColumns + ` FROM invalid_device
		WHERE app_id = ? AND revive_time IS NULL AND registration_id IN ` + listed

	selectInvalidIDs = `SELECT registration_id FROM invalid_device
		WHERE app_id = ? AND revive_time IS NULL AND registration_id IN ` + listed

	pageOfInvalid = `SELECT i.registration_id, ` + invalidColumns + `,
		d.update_time, COALESCE(d.time_zone, ''), COALESCE(d.locale, ''), d.attributes
		FROM invalid_device i LEFT JOIN device d ON d.app_id = i.app_id AND d.registration_id = i.registration_id
		WHERE i.app_id = ? AND i.registration_id > ? AND i.revive_time IS NULL AND (i.delete_time IS NULL OR NOT ?)
		ORDER BY i.registration_id LIMIT ?`
)

func scanDevice(rows *sql.Rows) (d storage.Device, err error) {
	err = rows.Scan(&d.RegistrationID, millisTime{&d.UpdateTime}, &d.TimeZone, &d.Locale, &d.Attributes)
	return d, err
}

func scanInvalid(rows *sql.Rows) (d storage.Device, err error) {
	err = rows.Scan(invalidity(&d)...)
	return d, err
}

func scanInvalidDevice(rows *sql.Rows) (d storage.Device, err error) {
	err = rows.Scan(append(invalidity(&d), millisTime{&d.UpdateTime}, &d.TimeZone, &d.Locale, &d.Attributes)...)
	return d, err
}

// invalidity is where the registration id and the invalidColumns of a device go.
func invalidity(d *storage.Device) []any {
	i := &storage.Invalidity{}
	d.Invalidity = i
	return []any{&d.RegistrationID, &i.Reason, millisTime{&i.Time}, &i.Status, &i.ErrorCode, &i.ErrorMessage, millisTime{&i.DeleteTime}}
}

// GetDevices implements storage.Devices.
func (s *Store) GetDevices(ctx context.Context, app string, registrationIDs []string) ([]storage.Device, error) {
	return read(ctx, s, func(q querier) ([]storage.Device, error) {
		id, err := appID(ctx, q, app)
		if err != nil || id == 0 {
			return nil, err
		}
		var found []storage.Device
		for some := range slices.Chunk(registrationIDs, idsAtOnce) {
			known := make(map[string]storage.Device, len(some))
			set, err := ofIDs(ctx, q, scanDevice, selectDevices, id, some)
			if err != nil {
				return nil, err
			}
			for _, d := range set {
				known[d.RegistrationID] = d
			}
			invalid, err := ofIDs(ctx, q, scanInvalid, selectInvalidity, id, s.writer.invalid.suspects(app, some))
			if err != nil {
				return nil, err
			}
			for _, i := range invalid {
				d := known[i.RegistrationID]
				d.RegistrationID, d.Invalidity = i.RegistrationID, i.Invalidity
				known[i.RegistrationID] = d
			}
			for _, registrationID := range some {
				if d, ok := known[registrationID]; ok {
					found = append(found, d)
				}
			}
		}
		return found, nil
	})
}

// ofIDs runs a query about an app and a list of registration ids.
func ofIDs[T any](
	ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, app int64, ids []string,
) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return collect(ctx, q, scan, query, app, list[string](ids))
}

// DeleteDevice implements storage.Devices.
func (s *Store) DeleteDevice(ctx context.Context, app, registrationID string) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) { return struct{}{}, t.deleteDevice(app, registrationID) })
	return err
}

func (t *tx) deleteDevice(app, registrationID string) error {
	id, err := t.appID(app)
	if err != nil {
		return err
	}
	set, err := t.exec(`DELETE FROM device WHERE app_id = ? AND registration_id = ?`, id, registrationID)
	if err != nil {
		return err
	}
	invalid, err := collect(t.ctx, t, value[bool], `DELETE FROM invalid_device WHERE app_id = ? AND registration_id = ?
		RETURNING revive_time IS NULL`, id, registrationID)
	switch {
	case err != nil:
		return err
	case slices.Contains(invalid, true):
		t.turned(app, registrationID, false)
	case set == 0:
		return storage.ErrNotFound
	}
	return nil
}

// InvalidDevices implements storage.Devices.
func (s *Store) InvalidDevices(ctx context.Context, app string, registrationIDs []string) ([]string, error) {
	var suspects []string
	for some := range slices.Chunk(registrationIDs, idsAtOnce) {
		suspects = append(suspects, s.writer.invalid.suspects(app, some)...)
	}
	if len(suspects) == 0 {
		if s.closed.Load() {
			return nil, errClosed
		}
		return nil, ctx.Err()
	}
	return read(ctx, s, func(q querier) ([]string, error) {
		id, err := appID(ctx, q, app)
		if err != nil || id == 0 {
			return nil, err
		}
		var found []string
		for some := range slices.Chunk(suspects, idsAtOnce) {
			invalid, err := ofIDs(ctx, q, value[string], selectInvalidIDs, id, some)
			if err != nil {
				return nil, err
			}
			is := make(map[string]bool, len(invalid))
			for _, registrationID := range invalid {
				is[registrationID] = true
			}
			found = append(found, slices.DeleteFunc(some, func(registrationID string) bool { return !is[registrationID] })...)
		}
		return found, nil
	})
}

// ListInvalidDevices implements storage.Devices.
func (s *Store) ListInvalidDevices(ctx context.Context, query storage.InvalidQuery) ([]storage.Device, error) {
	return read(ctx, s, func(q querier) ([]storage.Device, error) {
		id, err := appID(ctx, q, query.App)
		if err != nil || id == 0 {
			return nil, err
		}
		return collect(ctx, q, scanInvalidDevice, pageOfInvalid, id, query.After, query.Undeleted, page(query.Limit))
	})
}

const reviveListed = `UPDATE invalid_device SET revive_time = MAX(?, time)
	WHERE app_id = ? AND revive_time IS NULL AND registration_id IN ` + listed + ` RETURNING registration_id`

// ReviveDevices implements storage.Devices.
func (s *Store) ReviveDevices(ctx context.Context, app string, registrationIDs []string, now time.Time) (int, error) {
	return write(ctx, s, func(t *tx) (int, error) {
		id, err := t.appID(app)
		if err != nil {
			return 0, err
		}
		revived, err := collect(t.ctx, t, value[string], reviveListed, now.UnixMilli(), id, list[string](registrationIDs))
		for _, registrationID := range revived {
			t.turned(app, registrationID, false)
		}
		return len(revived), err
	})
}

const markDeleted = `UPDATE invalid_device SET delete_time = ?
	WHERE app_id = ? AND revive_time IS NULL AND registration_id IN ` + listed

// MarkDevicesDeleted implements storage.Devices.
func (s *Store) MarkDevicesDeleted(ctx context.Context, app string, registrationIDs []string, now time.Time) error {
	_, err := write(ctx, s, func(t *tx) (int64, error) {
		id, err := t.appID(app)
		if err != nil {
			return 0, err
		}
		return t.exec(markDeleted, now.UnixMilli(), id, list[string](registrationIDs))
	})
	return err
}
