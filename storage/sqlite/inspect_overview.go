package sqlite

import (
	"context"
	"database/sql"
	"math"
	"os"
	"slices"

	"susul.dev/susul/storage"
)

// Overview is what a database holds, in numbers. Sizes are in bytes.
type Overview struct {
	File string `json:"file"`
	// FileBytes is the size of the database's file, WALBytes that of the write-ahead log beside it; FreeBytes of the
	// former wait to be used again.
	FileBytes int64 `json:"file_bytes"`
	WALBytes  int64 `json:"wal_bytes"`
	FreeBytes int64 `json:"free_bytes"`
	Schema    int64 `json:"schema_version"`

	Log        LogOverview   `json:"log"`
	Pushes     []PushCount   `json:"pushes"`
	Recipients int64         `json:"recipients"` // those kept
	Devices    DeviceCount   `json:"devices"`
	Held       []HeldRows    `json:"held"`
	Relay      RelayOverview `json:"relay"`
	Tables     []TableSize   `json:"tables"`
	Bytes      AverageSizing `json:"bytes_per"`
}

// LogOverview is where the log begins, ends, and how far it is folded.
type LogOverview struct {
	FirstSequence int64 `json:"first_sequence"` // 0: there are no events
	LastSequence  int64 `json:"last_sequence"`
	Segments      int64 `json:"segments"`
	Events        int64 `json:"events"`
	// FoldedThrough is the sequence up to which progress and the log's indexes surely follow it; Unfolded events come later.
	FoldedThrough int64 `json:"folded_through"`
	Unfolded      int64 `json:"unfolded_events"`
}

// PushCount is how many pushes are in a state.
type PushCount struct {
	State storage.PushState `json:"state"`
	N     int64             `json:"n"`
}

// DeviceCount is of how many devices something was set, and how many are invalid.
type DeviceCount struct {
	Set     int64 `json:"set"`
	Invalid int64 `json:"invalid"`
}

// HeldRows is how many callbacks are held.
type HeldRows struct {
	App    string             `json:"app"`
	Reason storage.HoldReason `json:"reason"`
	N      int64              `json:"n"`
}

// TableSize is the size of a table, together with its indexes.
type TableSize struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// AverageSizing is what one event and one recipient take on disk, with all that is kept for their sake; 0 without any.
type AverageSizing struct {
	Event     float64 `json:"event"`
	Recipient float64 `json:"recipient"`
}

// What is kept for the sake of events, and of recipients.
var (
	eventTables     = []string{"segment", "segment_of_push", "span_of_app", "event_kind", "event_detail"}
	recipientTables = []string{"recipient_page", "member_bucket", "progress_page", "mark"}
)

const (
	// The cells of a table's inner pages are rows only if it has no rowid.
	selectTables = `SELECT l.name, SUM(iif(d.name = l.name AND (l.wr OR d.pagetype = 'leaf'), d.ncell, 0)), SUM(d.pgsize)
		FROM pragma_table_list l JOIN sqlite_schema s ON s.tbl_name = l.name JOIN dbstat d ON d.name = s.name
		WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite_%' GROUP BY l.name ORDER BY l.name`

	selectLog = `SELECT COALESCE(MIN(s.sequence), 0), MAX(COALESCE(MAX(s.sequence + s.events - 1), 0), f.sequence),
		COUNT(s.sequence), COALESCE(SUM(s.events), 0), f.sequence, COALESCE(SUM(iif(s.sequence > f.sequence, s.events, 0)), 0)
		FROM fold f LEFT JOIN segment s`
)

// Overview reads the whole file, once or twice.
func (i *Inspector) Overview(ctx context.Context) (Overview, error) {
	o, err := read(ctx, i.store, func(q querier) (o Overview, err error) {
		if o.Tables, err = collect(ctx, q, scanTableSize, selectTables); err != nil {
			return o, err
		}
		if o.Log, err = first(ctx, q, scanLogOverview, selectLog); err != nil {
			return o, err
		}
		if o.Pushes, err = collect(ctx, q, scanPushCount, `SELECT state, COUNT(*) FROM push
			GROUP BY state ORDER BY state`); err != nil {
			return o, err
		}
		if o.Held, err = collect(ctx, q, scanHeldRows, `SELECT app, reason, COUNT(*) FROM held_callback
			GROUP BY app, reason ORDER BY app, reason`); err != nil {
			return o, err
		}
		if o.Recipients, err = first(ctx, q, value[int64], `SELECT COALESCE(SUM(recipients), 0) FROM push
			WHERE forgotten = 0`); err != nil {
			return o, err
		}
		if o.Devices, err = first(ctx, q, scanDeviceCount, `SELECT (SELECT COUNT(*) FROM device),
			(SELECT COUNT(*) FROM invalid_device WHERE revive_time IS NULL)`); err != nil {
			return o, err
		}
		if o.Relay, err = relayOverview(ctx, q); err != nil {
			return o, err
		}
		if o.FreeBytes, err = first(ctx, q, value[int64], `SELECT freelist_count * page_size
			FROM pragma_freelist_count, pragma_page_size`); err != nil {
			return o, err
		}
		o.Schema, err = first(ctx, q, value[int64], `SELECT MAX(version_id) FROM goose_db_version`)
		return o, err
	})
	o.File = i.path
	o.FileBytes, o.WALBytes = fileSize(i.path), fileSize(i.path+"-wal")
	o.Bytes.Event = average(o.Tables, eventTables, o.Log.Events)
	o.Bytes.Recipient = average(o.Tables, recipientTables, o.Recipients)
	return o, err
}

// average is what tables take for each of n.
func average(tables []TableSize, names []string, n int64) float64 {
	if n == 0 {
		return 0
	}
	sum := int64(0)
	for _, t := range tables {
		if slices.Contains(names, t.Table) {
			sum += t.Bytes
		}
	}
	return math.Round(10*float64(sum)/float64(n)) / 10
}

// fileSize is 0 for a file that is not there.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func scanTableSize(rows *sql.Rows) (t TableSize, err error) {
	err = rows.Scan(&t.Table, &t.Rows, &t.Bytes)
	return t, err
}

func scanLogOverview(rows *sql.Rows) (l LogOverview, err error) {
	err = rows.Scan(&l.FirstSequence, &l.LastSequence, &l.Segments, &l.Events, &l.FoldedThrough, &l.Unfolded)
	return l, err
}

func scanPushCount(rows *sql.Rows) (p PushCount, err error) {
	err = rows.Scan(&p.State, &p.N)
	return p, err
}

func scanDeviceCount(rows *sql.Rows) (d DeviceCount, err error) {
	err = rows.Scan(&d.Set, &d.Invalid)
	return d, err
}

func scanHeldRows(rows *sql.Rows) (h HeldRows, err error) {
	err = rows.Scan(&h.App, &h.Reason, &h.N)
	return h, err
}
