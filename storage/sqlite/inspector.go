package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"susul.dev/susul/storage"
)

// Errors of a file that an Inspector can't read.
var (
	ErrNoDatabase   = errors.New("is no database of Susul's")
	ErrSchemaTooOld = errors.New("the database's schema is older than this program: a server that starts brings it up to date")
	errChanged      = errors.New("the database changed while it was read, for a server has started: ask again")
)

// Inspector shows what a database holds to a person, its packed content included. It changes nothing, and may be used
// beside a server. What it lists it reads in pages, each a snapshot of its own, so that neither its memory grows nor the
// server's write-ahead log while somebody reads the output.
type Inspector struct {
	store *Store // of which only that is there, and used, which reads from disk
	path  string
	still os.FileInfo // the file as it was; nil: a server may be at it
}

// OpenInspector opens a file that exists and has the schema that this program knows. Otherwise it returns fs.ErrNotExist,
// ErrNoDatabase, ErrSchemaTooOld or ErrSchemaTooNew.
func OpenInspector(ctx context.Context, path string) (*Inspector, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, fmt.Errorf("%s %w", path, ErrNoDatabase)
	}
	i := &Inspector{path: path}
	query := url.Values{"mode": {"ro"}}
	// Without a write-ahead log nobody has the file open. SQLite would make one, and leave it, unless it takes the file for
	// one that does not change; whether that was so is looked at in the end.
	if !i.hasLog() {
		i.still = info
		query.Set("immutable", "1")
	}
	db, err := openWith(path, 1, query, "query_only(1)", "cache_size(-16384)")
	if err != nil {
		return nil, err
	}
	i.store = &Store{readers: db, writer: &writer{kinds: newKinds()}}
	if err := i.check(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return i, nil
}

func (i *Inspector) hasLog() bool {
	_, err := os.Stat(i.path + "-wal")
	return err == nil
}

// check refuses what is not to be read, and gets ready for the rest.
func (i *Inspector) check(ctx context.Context) error {
	const versioned = `SELECT COUNT(*) FROM sqlite_schema WHERE name = 'goose_db_version'`
	known, err := first(ctx, i.store.readers, value[bool], versioned)
	var fault *sqlite.Error
	switch {
	case errors.As(err, &fault) && fault.Code()&0xff == sqlite3.SQLITE_NOTADB, err == nil && !known:
		return fmt.Errorf("%s %w", i.path, ErrNoDatabase)
	case err != nil:
		return unavailable(err)
	}
	_, current, target, err := schemaVersions(ctx, i.store.readers)
	if err != nil {
		return err
	}
	if current < target {
		return fmt.Errorf("%w: it has version %d, this program knows %d", ErrSchemaTooOld, current, target)
	}
	return i.store.writer.kinds.load(ctx, i.store.readers)
}

// Close closes the file. An error says that what was read is not to be trusted.
func (i *Inspector) Close() error {
	err := i.store.readers.Close()
	if i.still == nil {
		return err
	}
	now, statErr := os.Stat(i.path)
	if statErr != nil || i.hasLog() || now.Size() != i.still.Size() || !now.ModTime().Equal(i.still.ModTime()) {
		return errors.Join(errChanged, err)
	}
	return err
}

// attempt is a row, or what is wrong with it.
type attempt[T any] struct {
	row    T
	damage string
}

// attempted scans rows so that one that is damaged does not hide those that follow.
func attempted[T any](scan func(*sql.Rows) (T, error)) func(*sql.Rows) (attempt[T], error) {
	return func(rows *sql.Rows) (attempt[T], error) {
		row, err := scan(rows)
		damage, err := damageOf(err)
		return attempt[T]{row, damage}, err
	}
}

// damageOf tells what is wrong with a row from what ends a listing: that the database can't be read, or need not.
func damageOf(err error) (damage string, fatal error) {
	var fault *sqlite.Error
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &fault), errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		return "", err
	case errors.Is(err, storage.ErrNotFound):
		return "a row that this one refers to is not there", nil
	}
	return err.Error(), nil
}

func unixSeconds(s uint32) time.Time { return time.Unix(int64(s), 0).UTC() }
