package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

const upsertDevices = `INSERT INTO device (app, registration_id, update_time, time_zone, locale, attributes)
	SELECT $1, k.registration_id, $2, k.time_zone, k.locale, k.attributes
	FROM unnest($3::text[], $4::text[], $5::text[], $6::bytea[]) AS k (registration_id, time_zone, locale, attributes)
	ON CONFLICT (app, registration_id) DO UPDATE SET update_time = EXCLUDED.update_time, time_zone = EXCLUDED.time_zone,
	locale = EXCLUDED.locale, attributes = EXCLUDED.attributes`

// SetDevices implements storage.Devices.
func (s *Store) SetDevices(ctx context.Context, app string, devices []storage.Device, now time.Time) error {
	if len(devices) == 0 {
		return nil
	}
	last := make(map[string]*storage.Device, len(devices)) // who is named twice gets the later
	for i := range devices {
		last[keyText(devices[i].RegistrationID)] = &devices[i]
	}
	ids := make([]string, 0, len(last))
	for id := range last {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	zones, locales, attributes := make([]string, len(ids)), make([]string, len(ids)), make([][]byte, len(ids))
	for i, id := range ids {
		d := last[id]
		zones[i], locales[i], attributes[i] = storable(d.TimeZone), storable(d.Locale), blob(d.Attributes)
	}
	_, err := write(ctx, s, func(t *tx) (int64, error) {
		return t.exec(upsertDevices, app, now.UnixMilli(), ids, zones, locales, attributes)
	})
	return err
}

const (
	invalidColumns = `i.reason, i.time, i.status, i.error_code, i.error_message, i.delete_time`
	deviceColumns  = `d.update_time, COALESCE(d.time_zone, ''), COALESCE(d.locale, ''), d.attributes`

	// Each id is looked up, in the order in which they are asked for.
	selectDevices = `SELECT k.id, ` + invalidColumns + `, ` + deviceColumns + `
		FROM unnest($2::text[]) WITH ORDINALITY AS k (id, n)
		LEFT JOIN LATERAL (SELECT * FROM device WHERE app = $1 AND registration_id = k.id LIMIT 1) d ON true
		LEFT JOIN LATERAL (SELECT * FROM invalid_device WHERE app = $1 AND registration_id = k.id AND revive_time IS NULL LIMIT 1) i ON true
		WHERE d.app IS NOT NULL OR i.app IS NOT NULL ORDER BY k.n`

	selectInvalidIDs = `SELECT k.id FROM unnest($2::text[]) WITH ORDINALITY AS k (id, n)
		WHERE EXISTS (SELECT FROM invalid_device WHERE app = $1 AND registration_id = k.id AND revive_time IS NULL) ORDER BY k.n`

	pageOfInvalid = `SELECT i.registration_id, ` + invalidColumns + `, ` + deviceColumns + `
		FROM invalid_device i LEFT JOIN device d ON d.app = i.app AND d.registration_id = i.registration_id
		WHERE i.app = $1 AND i.registration_id > $2 AND i.revive_time IS NULL AND (i.delete_time IS NULL OR NOT $3)
		ORDER BY i.registration_id LIMIT $4`
)

func scanDevice(row pgx.CollectableRow) (d storage.Device, err error) {
	var i storage.Invalidity
	var reason, status, message *string
	var code *int
	err = row.Scan(&d.RegistrationID, &reason, millisTime{&i.Time}, &status, &code, &message, millisTime{&i.DeleteTime},
		millisTime{&d.UpdateTime}, &d.TimeZone, &d.Locale, &d.Attributes)
	if err == nil && reason != nil {
		i.Reason, i.Status, i.ErrorCode, i.ErrorMessage = *reason, *status, *code, *message
		d.Invalidity = &i
	}
	return d, err
}

// GetDevices implements storage.Devices.
func (s *Store) GetDevices(ctx context.Context, app string, registrationIDs []string) ([]storage.Device, error) {
	return look(ctx, s, func(q querier) ([]storage.Device, error) {
		return collect(ctx, q, scanDevice, selectDevices, app, keyTexts(registrationIDs))
	})
}

// InvalidDevices implements storage.Devices.
func (s *Store) InvalidDevices(ctx context.Context, app string, registrationIDs []string) ([]string, error) {
	return look(ctx, s, func(q querier) ([]string, error) {
		return collect(ctx, q, value[string], selectInvalidIDs, app, keyTexts(registrationIDs))
	})
}

// ListInvalidDevices implements storage.Devices.
func (s *Store) ListInvalidDevices(ctx context.Context, query storage.InvalidQuery) ([]storage.Device, error) {
	return look(ctx, s, func(q querier) ([]storage.Device, error) {
		return collect(ctx, q, scanDevice, pageOfInvalid, query.App, query.After, query.Undeleted, page(query.Limit))
	})
}

// DeleteDevice implements storage.Devices.
func (s *Store) DeleteDevice(ctx context.Context, app, registrationID string) error {
	id := keyText(registrationID)
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		set, err := t.exec(`DELETE FROM device WHERE app = $1 AND registration_id = $2`, app, id)
		if err != nil {
			return struct{}{}, err
		}
		invalid, err := collect(t.ctx, t, value[bool], `DELETE FROM invalid_device WHERE app = $1 AND registration_id = $2
			RETURNING revive_time IS NULL`, app, id)
		if err == nil && set == 0 && !slices.Contains(invalid, true) {
			err = storage.ErrNotFound
		}
		return struct{}{}, err
	})
	return err
}

// Rows are locked in the order of their key.
const (
	lockInvalid = `WITH those AS (SELECT registration_id FROM invalid_device
		WHERE app = $2 AND revive_time IS NULL AND registration_id = ANY($3) ORDER BY registration_id FOR UPDATE) `

	reviveListed = lockInvalid + `UPDATE invalid_device i SET revive_time = GREATEST($1, time) FROM those
		WHERE i.app = $2 AND i.registration_id = those.registration_id AND revive_time IS NULL`

	markDeleted = lockInvalid + `UPDATE invalid_device i SET delete_time = $1 FROM those
		WHERE i.app = $2 AND i.registration_id = those.registration_id AND revive_time IS NULL`
)

// ReviveDevices implements storage.Devices.
func (s *Store) ReviveDevices(ctx context.Context, app string, registrationIDs []string, now time.Time) (int, error) {
	revived, err := write(ctx, s, func(t *tx) (int64, error) {
		return t.exec(reviveListed, now.UnixMilli(), app, keyTexts(registrationIDs))
	})
	return int(revived), err
}

// MarkDevicesDeleted implements storage.Devices.
func (s *Store) MarkDevicesDeleted(ctx context.Context, app string, registrationIDs []string, now time.Time) error {
	_, err := write(ctx, s, func(t *tx) (int64, error) {
		return t.exec(markDeleted, now.UnixMilli(), app, keyTexts(registrationIDs))
	})
	return err
}

// keyTexts returns registration ids as they are stored.
func keyTexts(ids []string) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = keyText(id)
	}
	return list
}
