package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"susul.dev/susul/storage"
)

// What a push is read from.
const (
	pushColumns = `SELECT p.id, p.app, p.request_id, p.fingerprint, p.listed, p.external, p.state, p.time_to_live, p.create_time,
	p.first_sent_time, p.recipients, p.refusal, p.callback_urls, v.uid, v.revision, v.name, `
	fromPush = ` FROM push p LEFT JOIN policy_revision v ON v.uid = p.policy_uid AND v.revision = p.policy_revision `

	selectPush = pushColumns + `p.document, v.spec` + fromPush + `WHERE `
	// A page of pushes comes without what is large.
	selectPushes = pushColumns + `NULL::bytea, NULL::bytea` + fromPush + `WHERE `
	pageOfPushes = `p.app = $1 AND p.id < $2 ORDER BY p.id DESC LIMIT $3`
)

func scanPush(row pgx.CollectableRow) (p storage.Push, err error) {
	var uid, name *string
	var revision *int64
	var spec []byte
	err = row.Scan(&p.ID, &p.App, &p.RequestID, &p.Fingerprint, &p.Listed, &p.External, &p.State, millisSpan{&p.TimeToLive},
		millisTime{&p.CreateTime}, millisTime{&p.FirstSentTime}, &p.Recipients, &p.Refusal, &p.CallbackURLs, &uid, &revision, &name,
		&p.Document, &spec)
	if err == nil && uid != nil {
		p.Policy = &storage.PinnedPolicy{UID: *uid, Revision: *revision, Name: *name, Spec: spec}
	}
	return p, err
}

func pushByID(ctx context.Context, q querier, id int64) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+`p.id = $1`, id)
}

func pushOfApp(ctx context.Context, q querier, app string, id int64) (storage.Push, error) {
	return first(ctx, q, scanPush, selectPush+`p.id = $1 AND p.app = $2`, id, app)
}

// GetPush implements storage.Pushes.
func (s *Store) GetPush(ctx context.Context, app string, id int64) (storage.Push, error) {
	return look(ctx, s, func(q querier) (storage.Push, error) { return pushOfApp(ctx, q, app, id) })
}

// PushOf implements storage.Planning.
func (s *Store) PushOf(ctx context.Context, id int64) (storage.Push, error) {
	return look(ctx, s, func(q querier) (storage.Push, error) { return pushByID(ctx, q, id) })
}

// ListPushes implements storage.Pushes.
func (s *Store) ListPushes(ctx context.Context, query storage.PushQuery) ([]storage.Push, error) {
	before := query.Before
	if before == 0 {
		before = math.MaxInt64
	}
	return look(ctx, s, func(q querier) ([]storage.Push, error) {
		return collect(ctx, q, scanPush, selectPushes+pageOfPushes, query.App, before, page(query.Limit))
	})
}
