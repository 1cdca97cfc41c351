package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds how many statements are kept. There are fewer different ones, about.
const maxStatements = 256

// statements are those that the readers' connections keep prepared: to prepare one takes longer than most of them run.
type statements struct {
	mu   sync.Mutex
	kept map[string]*sql.Stmt // by text; nil for one that was asked for only once
}

// get returns the statement of a text, if it is kept. Otherwise it tells whether it is to be, since it is asked for again.
func (s *statements) get(text string) (stmt *sql.Stmt, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stmt, again = s.kept[text]
	if !again && len(s.kept) < maxStatements {
		if s.kept == nil {
			s.kept = map[string]*sql.Stmt{}
		}
		s.kept[text] = nil
	}
	return stmt, again
}

// keep prepares statements. It may need a connection, so that the caller must have none. What fails is tried again with the next
// reader.
func (s *statements) keep(ctx context.Context, db *sql.DB, texts []string) {
	for _, text := range texts {
		stmt, err := db.PrepareContext(ctx, text) //nolint:sqlclosecheck // it is kept, and closed with its connections
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.kept[text] == nil {
			s.kept[text], stmt = stmt, nil
		}
		s.mu.Unlock()
		if stmt != nil {
			_ = stmt.Close() // somebody else was faster
		}
	}
}

// snapshot is a consistent view of the database. A query must have been read before the same one is begun again.
type snapshot struct {
	*sql.Tx
	statements *statements
	again      []string // texts to keep
}

// QueryContext implements querier.
func (s *snapshot) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, again := s.statements.get(query)
	if stmt != nil {
		return s.StmtContext(ctx, stmt).QueryContext(ctx, args...) //nolint:sqlclosecheck // it ends with the snapshot
	}
	if again {
		s.again = append(s.again, query)
	}
	return s.Tx.QueryContext(ctx, query, args...)
}
