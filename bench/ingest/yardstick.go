package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"

	"susul.dev/susul/bench/load"
	"susul.dev/susul/bench/rig"
)

const (
	appendRows    = 2000 // of a transaction
	segmentEvents = 252
	eventBytes    = 16
)

// yardsticks are what the cases are compared with.
type yardsticks struct {
	AppendRows float64 `json:"append_rows_per_second"`
	AppendCPU  float64 `json:"append_cpu_us_per_row"`
	AnswerRows float64 `json:"answer_rows_per_second"`
	AnswerCPU  float64 `json:"answer_cpu_us_per_row"`
}

func (b *bench) yardsticks(ctx context.Context, measure time.Duration) (y yardsticks, err error) {
	if y.AppendRows, y.AppendCPU, err = appendBare(ctx, filepath.Join(b.Dir, "append.db"), measure); err != nil {
		return y, fmt.Errorf("append: %w", err)
	}
	y.AnswerRows, y.AnswerCPU, err = b.answerBare(ctx, measure)
	if err != nil {
		return y, fmt.Errorf("answer: %w", err)
	}
	return y, nil
}

// appendBare appends events to SQLite, and does nothing else: packed to 16 bytes, in segments of up to 252, 2,000 in a
// durable transaction.
func appendBare(ctx context.Context, path string, measure time.Duration) (rows, cpu float64, err error) {
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return 0, 0, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
		"&_pragma=wal_autocheckpoint(16384)")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `CREATE TABLE segment (first INTEGER PRIMARY KEY, push INTEGER, n INTEGER, body BLOB);
		CREATE INDEX segment_push ON segment (push, first)`)
	if err != nil {
		return 0, 0, err
	}
	body := make([]byte, segmentEvents*eventBytes)
	_, _ = rand.Read(body) // never fails
	count, began, before := 0, time.Now(), rig.OwnCPU()
	for time.Since(began) < measure {
		if err := appendTransaction(ctx, db, count, body); err != nil {
			return 0, 0, err
		}
		count += appendRows
	}
	return math.Round(float64(count) / time.Since(began).Seconds()), load.PerRow(rig.OwnCPU()-before, count), nil
}

func appendTransaction(ctx context.Context, db *sql.DB, first int, body []byte) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for at := 0; at < appendRows; at += segmentEvents {
		n := min(segmentEvents, appendRows-at)
		_, err := tx.ExecContext(ctx, `INSERT INTO segment VALUES (?, 1, ?, ?)`, first+at, n, body[:n*eventBytes])
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// answerBare puts the load of the first case on a server that only answers.
func (b *bench) answerBare(ctx context.Context, measure time.Duration) (rows, cpu float64, err error) {
	server := rig.NewProcess(exec.CommandContext(ctx, os.Args[0], answerVerb)) //nolint:gosec // this very program
	lines, err := server.Launch(filepath.Join(b.Dir, "answer.log"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	m, err := load.Run(ctx, b.say, load.Plan{
		Addresses: []string{strings.TrimSpace(string(<-lines))},
		Chunks:    load.Imaginary(int(measure.Seconds()+2) * 1500), Active: 16, MinBatch: 100, MaxBatch: 100,
		Connections: connections, WarmUp: warmUp, Measure: measure,
	}, server)
	if err != nil {
		return 0, 0, err
	}
	if m.Exhausted {
		return 0, 0, errors.New("rows ran out")
	}
	return m.Speed(), m.PerRow(m.Servers[0].CPU), nil
}

// serveAnswers is a server that reads bodies and says 200. Its first line of standard error is its address.
func serveAnswers(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, listener.Addr())
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a body that breaks off is no news
	})}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer stop()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
