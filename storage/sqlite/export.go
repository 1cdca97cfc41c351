package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/transfer"
)

// Export reads all that a file holds, for another backend. What is in memory only while a server works is in the file by then: the log
// is folded to its end. It hands out nothing of pushes that were never published.
type Export struct {
	store  *Store
	source transfer.Source
}

// OpenExport opens a file that exists and that no server works with: who calls it sees to that. Besides folding, and bringing the schema
// up to date as every Open does, it changes nothing.
func OpenExport(ctx context.Context, opts Options) (*Export, error) {
	info, err := os.Stat(opts.Path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, fmt.Errorf("%s %w", opts.Path, ErrNoDatabase)
	}
	if err := foldFile(ctx, opts); err != nil {
		return nil, fmt.Errorf("fold %s: %w", opts.Path, err)
	}
	store, err := Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	e := &Export{store: store}
	if e.source, err = e.identify(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return e, nil
}

// foldFile leaves nothing to be replayed. To close a store folds, if the file is its own.
func foldFile(ctx context.Context, opts Options) error {
	store, err := Open(ctx, opts)
	if err != nil {
		return err
	}
	_, err = write(ctx, store, func(t *tx) (struct{}, error) {
		t.writer.fold.ours = true
		return struct{}{}, nil
	})
	return errors.Join(err, store.Close())
}

// identify tells the file from others by when its schema was made and by what it holds, and from itself at another time by its term: no
// server works without taking the lead.
func (e *Export) identify(ctx context.Context) (transfer.Source, error) {
	s := e.store
	return read(ctx, s, func(q querier) (source transfer.Source, err error) {
		one := func(to *int64, query string) {
			if err == nil {
				*to, err = first(ctx, q, value[int64], query)
			}
		}
		var folded, last int64
		one(&source.Term, `SELECT COALESCE(MAX(term), 0) FROM leadership`)
		one(&folded, `SELECT sequence FROM fold`)
		one(&last, `SELECT COALESCE((SELECT sequence + events - 1 FROM segment ORDER BY sequence DESC LIMIT 1), 0)`)
		one(&source.Looked, `SELECT sequence FROM relay_head`)
		if err != nil {
			return source, err
		}
		if folded < last {
			return source, fmt.Errorf("the log is folded up to %d and ends with %d: it could not be folded", folded, last)
		}
		source.Sequence = folded
		made, err := collect(ctx, q, value[string], `SELECT version_id || ' ' || CAST(tstamp AS TEXT) FROM goose_db_version ORDER BY id`)
		if err != nil {
			return source, err
		}
		held, err := first(ctx, q, value[string], `SELECT (SELECT COUNT(*) || ' ' || COALESCE(MIN(id), 0) || ' ' || COALESCE(MAX(id), 0) FROM push) ||
			' ' || (SELECT COUNT(*) || ' ' || COALESCE(MAX(id), 0) FROM dispatch)`)
		if err != nil {
			return source, err
		}
		sum := sha256.Sum256(fmt.Appendln(nil, made, held, source.Term, source.Sequence, source.Looked))
		source.ID = hex.EncodeToString(sum[:])
		return source, nil
	})
}

// Source tells what is to be copied from others, and what of it is in no table.
func (e *Export) Source() transfer.Source { return e.source }

// Store is the open file, to be read.
func (e *Export) Store() storage.Store { return e.store }

// Close closes the file.
func (e *Export) Close() error { return e.store.Close() }

// Work tells how much there is of a table, in the units of Slice.Work.
func (e *Export) Work(ctx context.Context, table *transfer.Table) (int64, error) {
	from := exportOf(table)
	return read(ctx, e.store, func(q querier) (int64, error) { return first(ctx, q, value[int64], from.work()) })
}

// Apps returns the apps of which the file holds something.
func (e *Export) Apps(ctx context.Context) ([]string, error) {
	return read(ctx, e.store, func(q querier) ([]string, error) {
		return collect(ctx, q, value[string], `SELECT app FROM push UNION SELECT key FROM app UNION SELECT app FROM held_callback
			UNION SELECT app FROM relay_endpoint ORDER BY 1`)
	})
}

// SampleOfPushes returns up to n pushes: the oldest, the latest, and some in between.
func (e *Export) SampleOfPushes(ctx context.Context, n int) ([]int64, error) {
	return read(ctx, e.store, func(q querier) ([]int64, error) {
		return collect(ctx, q, value[int64], `WITH seen AS (SELECT p.id, ROW_NUMBER() OVER (ORDER BY p.id) AS place FROM push p WHERE `+visible+`),
			total AS (SELECT COUNT(*) AS rows FROM seen)
			SELECT id FROM seen, total WHERE place = rows OR (place - 1) % MAX(1, rows / ?1) = 0 ORDER BY id LIMIT ?1 + 2`, n)
	})
}

// Sums adds up a number per push, as the file itself knows it, in the order of the pushes.
func (e *Export) Sums(ctx context.Context, what transfer.Quantity, yield func(push, n int64) error) error {
	_, err := read(ctx, e.store, func(q querier) (struct{}, error) {
		rows, err := q.QueryContext(ctx, exportSums[what])
		if err != nil {
			return struct{}{}, err
		}
		defer rows.Close()
		for rows.Next() {
			var push, n int64
			if err := rows.Scan(&push, &n); err != nil {
				return struct{}{}, err
			}
			if err := yield(push, n); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, rows.Err()
	})
	return err
}

// exportSums read other columns than the rows that are copied come from.
var exportSums = map[transfer.Quantity]string{
	transfer.Recipients: `SELECT p.id, p.recipients FROM push p WHERE p.forgotten = 0 AND p.recipients > 0 AND ` + visible + ` ORDER BY p.id`,
	transfer.Events:     `SELECT push_id, SUM(events) FROM segment GROUP BY push_id ORDER BY push_id`,
	transfer.Clicks: `SELECT c.push_id, c.clicked FROM counter c JOIN push p ON p.id = c.push_id
		WHERE c.step = -1 AND c.clicked > 0 AND p.forgotten = 0 ORDER BY c.push_id`,
}
