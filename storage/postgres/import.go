package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"susul.dev/susul/storage"
	"susul.dev/susul/storage/transfer"
)

// Import fills a database with what another backend held. It has the database for itself until it is closed.
type Import struct {
	ctx     context.Context // to close with
	options Options
	pool    *pgxpool.Pool
	alone   *pgx.Conn
	source  transfer.Source
	days    map[int32]bool // of which the log has a partition
}

// importConnections is how many connections an Import has, besides the one that shows its presence.
const importConnections = 4

// OpenImport connects to a database that nobody works with, and brings its schema up to date. Otherwise it returns transfer.ErrInUse.
func OpenImport(ctx context.Context, opts Options) (*Import, error) {
	opts.Connections = importConnections
	opts.complete()
	pool, err := connect(ctx, opts, nil)
	if err != nil {
		return nil, err
	}
	i := &Import{ctx: context.WithoutCancel(ctx), options: opts, pool: pool, days: map[int32]bool{}}
	if err := i.open(ctx); err != nil {
		return nil, errors.Join(unavailable(err), i.Close()) //nolint:contextcheck // it leaves even when the context is over
	}
	return i, nil
}

func (i *Import) open(ctx context.Context) error {
	conn, err := i.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	i.alone = conn.Hijack()
	if err := occupy(ctx, i.alone); err != nil {
		return err
	}
	return prepare(ctx, i.pool, i.options.Logger)
}

// Close lets others work with the database, if it is complete.
func (i *Import) Close() error {
	i.pool.Close()
	if i.alone == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(i.ctx, time.Second)
	defer cancel()
	_, err := i.alone.Exec(ctx, leave) // PostgreSQL notices only a moment later that a connection has ended
	return errors.Join(err, i.alone.Close(ctx))
}

// Begin begins to bring a source, or returns how far that came before. What it finds of anything else gets transfer.ErrNotEmpty or
// transfer.ErrOtherSource.
func (i *Import) Begin(ctx context.Context, source transfer.Source) (transfer.State, error) {
	i.source = source
	state := transfer.State{Tables: map[string]transfer.TableState{}}
	err := pgx.BeginFunc(ctx, i.pool, func(t pgx.Tx) error {
		var known string
		err := t.QueryRow(ctx, `SELECT source, complete_time IS NOT NULL FROM migration`).Scan(&known, &state.Complete)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			if err := requireEmpty(ctx, t); err != nil {
				return err
			}
			return beginImport(ctx, t, source)
		case err != nil:
			return err
		case known != source.ID:
			return transfer.ErrOtherSource
		}
		rows, err := t.Query(ctx, `SELECT name, coalesce(place, ''), rows, place IS NULL FROM migration_table`)
		if err != nil {
			return err
		}
		var name string
		var table transfer.TableState
		_, err = pgx.ForEachRow(rows, []any{&name, &table.Next, &table.Rows, &table.Done}, func() error {
			state.Tables[name] = table
			return nil
		})
		return err
	})
	return state, unavailable(err)
}

func beginImport(ctx context.Context, t pgx.Tx, source transfer.Source) error {
	_, err := t.Exec(ctx, `INSERT INTO migration (one, source, start_time) VALUES (1, $1, $2)`, source.ID, time.Now().UnixMilli())
	for n := 0; n < len(transfer.Tables) && err == nil; n++ {
		_, err = t.Exec(ctx, `INSERT INTO migration_table (name, place, rows) VALUES ($1, '', 0)`, transfer.Tables[n].Name)
	}
	return err
}

// requireEmpty refuses a database that has anything in it, or had: no node works with one without leaving its term.
func requireEmpty(ctx context.Context, t pgx.Tx) error {
	queries := map[string]string{"the term of a leader": `SELECT EXISTS (SELECT FROM leadership WHERE term > 0)`}
	for _, table := range transfer.Tables {
		queries["rows in table "+table.Name] = `SELECT EXISTS (SELECT FROM ` + table.Name + `)`
	}
	for what, query := range queries {
		var found bool
		if err := t.QueryRow(ctx, query).Scan(&found); err != nil {
			return err
		}
		if found {
			return fmt.Errorf("%w: it has %s", transfer.ErrNotEmpty, what)
		}
	}
	return nil
}

// errMoved says that another migration is at work, whatever the lock says.
var errMoved = errors.New("somebody else brought rows meanwhile")

// Store stores a slice that began at a place, all or nothing, together with where the next begins.
func (i *Import) Store(ctx context.Context, table *transfer.Table, place string, slice transfer.Slice) error {
	for _, row := range slice.Rows {
		i.Adapt(table, row)
	}
	if prepare := derivations[table.Name].prepare; prepare != nil {
		if err := prepare(ctx, i, slice.Rows); err != nil {
			return fmt.Errorf("table %s: %w", table.Name, unavailable(err))
		}
	}
	err := pgx.BeginFunc(ctx, i.pool, func(t pgx.Tx) error {
		var next *string
		if slice.Next != "" {
			next = &slice.Next
		}
		moved, err := t.Exec(ctx, `UPDATE migration_table SET place = $3, rows = rows + $4 WHERE name = $1 AND place = $2`,
			table.Name, place, next, len(slice.Rows))
		switch {
		case err != nil:
			return err
		case moved.RowsAffected() != 1:
			return errMoved
		case len(slice.Rows) == 0:
			return nil
		}
		return i.copy(ctx, t, table, slice.Rows)
	})
	if err != nil {
		return fmt.Errorf("table %s: %w", table.Name, unavailable(err))
	}
	return nil
}

// copy stores rows, and what follows from them.
func (i *Import) copy(ctx context.Context, t pgx.Tx, table *transfer.Table, rows []transfer.Row) error {
	columns := make([]string, 0, len(table.Columns)+2)
	for _, c := range table.Columns {
		columns = append(columns, c.Name)
	}
	derived := derivations[table.Name]
	columns = append(columns, derived.columns...)
	_, err := t.CopyFrom(ctx, pgx.Identifier{table.Name}, columns, pgx.CopyFromSlice(len(rows), func(n int) ([]any, error) {
		if derived.values == nil {
			return rows[n], nil
		}
		return append(rows[n], derived.values(i, rows[n])...), nil
	}))
	if err == nil && derived.after != nil {
		err = derived.after(ctx, t, rows)
	}
	return err
}

// supposeLives notes until when devices may have reported life: the latest event of a push tells, whatever it is.
const supposeLives = `INSERT INTO life (push_id, app, hour)
	SELECT push_id, min(app), greatest((max(last_time) + 3599) / 3600, 1) FROM segment GROUP BY push_id
	ON CONFLICT (push_id) DO UPDATE SET hour = EXCLUDED.hour`

// Finish stores what is in no table, once all of them are done, and makes what comes next follow on what was brought.
func (i *Import) Finish(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, i.pool, func(t pgx.Tx) error {
		for query, value := range map[string]int64{
			`UPDATE leadership SET term = $1`:               i.source.Term,
			`UPDATE log_head SET sequence = $1, deaths = 1`: i.source.Sequence,
			`UPDATE relay_head SET sequence = $1`:           i.source.Looked,
		} {
			if _, err := t.Exec(ctx, query, value); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, supposeLives); err != nil {
			return err
		}
		for _, table := range []string{"dispatch", "decision", "event_kind", "held_callback"} {
			if _, err := t.Exec(ctx, `SELECT setval(pg_get_serial_sequence('`+table+`', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM `+table+
				`), false)`); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		_, err = i.pool.Exec(ctx, `ANALYZE`)
	}
	return unavailable(err)
}

// Complete lets nodes work with the database from the Import's end on.
func (i *Import) Complete(ctx context.Context) error {
	_, err := i.pool.Exec(ctx, `UPDATE migration SET complete_time = $1`, time.Now().UnixMilli())
	return unavailable(err)
}

// Reader returns a handle to read what was brought. It must be closed before the Import is.
func (i *Import) Reader(ctx context.Context) (storage.Store, error) {
	pool, err := connect(ctx, i.options, nil)
	if err != nil {
		return nil, err
	}
	return newDatabase(ctx, i.options, pool).handle(), nil
}
