package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// statements are prepared once for each of the readers' connections, for those who read the same again and again.
type statements struct {
	mu   sync.Mutex
	kept map[string]*sql.Stmt // complete once somebody has got it
}

// of returns statements by their texts, which are always the same. It is to be called before a snapshot begins: it may need a
// connection.
func (s *statements) of(ctx context.Context, db *sql.DB, texts []string) (map[string]*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = make(map[string]*sql.Stmt, len(texts))
	}
	for _, text := range texts[len(s.kept):] {
		stmt, err := db.PrepareContext(ctx, text) //nolint:sqlclosecheck // it is kept, and closed with its connections
		if err != nil {
			return nil, unavailable(fmt.Errorf("prepare %.60q: %w", text, err))
		}
		s.kept[text] = stmt
	}
	return s.kept, nil
}

// preparedReader is a snapshot that knows statements.
type preparedReader struct {
	*sql.Tx
	statements map[string]*sql.Stmt
}

// QueryContext implements querier.
func (r preparedReader) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt, ok := r.statements[query]; ok {
		return r.StmtContext(ctx, stmt).QueryContext(ctx, args...) //nolint:sqlclosecheck // it ends with the snapshot
	}
	return r.Tx.QueryContext(ctx, query, args...)
}

// readPrepared is read with statements that are prepared once.
func readPrepared[T any](ctx context.Context, s *Store, texts []string, run func(querier) (T, error)) (result T, err error) {
	if s.closed.Load() {
		return result, errClosed
	}
	prepared, err := s.statements.of(ctx, s.readers, texts)
	if err != nil {
		return result, err
	}
	snapshot, err := s.begin(ctx)
	if err != nil {
		return result, err
	}
	defer func() { _ = snapshot.Rollback() }() // it only read
	result, err = run(preparedReader{snapshot, prepared})
	return result, unavailable(err)
}
