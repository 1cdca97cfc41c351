package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse says that somebody has the file open: a server, most likely.
var ErrInUse = errors.New("is in use")

// RequireUnused returns ErrInUse if anybody has the file open. A server has it open for as long as it works with it, be it frozen.
func RequireUnused(ctx context.Context, path string) (err error) {
	// Whoever wants a file with a write-ahead log for himself must be the only one who has it open.
	db, err := openPool(path, "exclusive", 1, "locking_mode(EXCLUSIVE)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t, err := db.BeginTx(ctx, nil)
	if fault := (*sqlite.Error)(nil); errors.As(err, &fault) && fault.Code()&0xff == sqlite3.SQLITE_BUSY {
		return fmt.Errorf("%s %w", path, ErrInUse)
	}
	if err != nil {
		return err
	}
	return t.Rollback()
}
