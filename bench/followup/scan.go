package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	_ "modernc.org/sqlite" // the driver

	"susul.dev/susul/bench/rig"
)

const (
	insertRows = 10_000 // of a transaction
	scans      = 3

	clickedBit = 1 << 3
)

// yardstick is what the scan took, in seconds.
type yardstick struct {
	Seconds float64 `json:"seconds"` // the median of some scans
	CPU     float64 `json:"cpu_seconds"`
}

// scanBare reads the registration ids of those who have not clicked out of a plain table, and does nothing else.
func scanBare(ctx context.Context, path string, recipients int) (y yardstick, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		return y, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `CREATE TABLE recipient (push INTEGER, ordinal INTEGER, registration_id TEXT, progress INTEGER,
		PRIMARY KEY (push, ordinal)) WITHOUT ROWID`)
	for from := 0; from < recipients && err == nil; from += insertRows {
		err = insertRecipients(ctx, db, from, min(from+insertRows, recipients))
	}
	if err != nil {
		return y, err
	}
	took, before := make([]time.Duration, scans), rig.OwnCPU()
	for i := range took {
		began := time.Now()
		open, err := scanOpen(ctx, db)
		took[i] = time.Since(began)
		if want := recipients / clickCycle * (clickCycle - clickers); err == nil && open != want {
			err = fmt.Errorf("%d rows instead of %d", open, want)
		}
		if err != nil {
			return y, err
		}
	}
	slices.Sort(took)
	y.Seconds, y.CPU = rig.Round(took[scans/2].Seconds(), 3), rig.Round((rig.OwnCPU()-before).Seconds()/scans, 3)
	return y, nil
}

func insertRecipients(ctx context.Context, db *sql.DB, from, to int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO recipient VALUES (1, ?, ?, ?)`)
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	defer insert.Close()
	for number := from; number < to; number++ {
		progress := 0
		if clicks(uint64(number)) {
			progress = clickedBit
		}
		id := string(rig.AppendRegistrationID(nil, uint64(number)))
		if _, err := insert.ExecContext(ctx, number, id, progress); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// scanOpen counts those who have not clicked, having read the id of each.
func scanOpen(ctx context.Context, db *sql.DB) (open int, err error) {
	rows, err := db.QueryContext(ctx,
		`SELECT registration_id FROM recipient WHERE push = 1 AND progress & ? = 0 ORDER BY ordinal`, clickedBit)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return 0, err
		}
		open++
	}
	return open, rows.Err()
}
