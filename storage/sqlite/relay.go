package sqlite

import (
	"context"
	"errors"

	"susul.dev/susul/storage"
)

func (s *Store) RelayHead(ctx context.Context) (int64, error) { return 0, errors.ErrUnsupported }

func (s *Store) ListRelayEndpoints(ctx context.Context, after storage.RelayEndpointKey, limit int) ([]storage.RelayEndpoint, error) {
	return nil, errors.ErrUnsupported
}

func (s *Store) ListRelaySpans(ctx context.Context, q storage.RelaySpanQuery) ([]storage.RelaySpan, error) {
	return nil, errors.ErrUnsupported
}

func (s *Store) SaveRelay(ctx context.Context, change storage.RelayChange) error { return errors.ErrUnsupported }
