package postgres

import "context"

// Ping implements storage.Store. It takes a lock that keeps nobody from leading: PostgreSQL refuses that where nothing can be written.
func (s *Store) Ping(ctx context.Context) error {
	_, err := write(ctx, s, func(t *tx) (struct{}, error) {
		_, err := first(t.ctx, t, value[int64], `SELECT term FROM leadership FOR KEY SHARE`)
		return struct{}{}, err
	})
	return err
}
