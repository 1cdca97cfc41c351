package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"susul.dev/susul/storage"
)

var (
	errClosed = fmt.Errorf("%w: it is closed", storage.ErrUnavailable)

	// errAgain says that what a transaction found changed while it ran.
	errAgain = fmt.Errorf("%w: it changes too often", storage.ErrUnavailable)

	// errLost says that a connection broke ahead of the commit: nothing has happened.
	errLost = fmt.Errorf("%w: a connection broke", storage.ErrUnavailable)

	// errUncertain says that a connection broke when the commit was under way: nobody knows whether it has happened.
	errUncertain = fmt.Errorf("%w: a connection broke during a commit", storage.ErrUnavailable)
)

// undone reports whether what ran is to be run anew: PostgreSQL undid it so that another can go on, or a connection broke, or it asks for
// that.
func undone(err error) bool {
	switch code(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	return errors.Is(err, errAgain) || errors.Is(err, errLost)
}

// code returns the code with which PostgreSQL refused something, if it did.
func code(err error) string {
	var fault *pgconn.PgError
	if errors.As(err, &fault) {
		return fault.Code
	}
	return ""
}

// violates reports whether a statement would have broken a constraint or a unique index.
func violates(err error, constraint string) bool {
	var fault *pgconn.PgError
	return errors.As(err, &fault) && strings.HasPrefix(fault.Code, "23") && fault.ConstraintName == constraint
}

// unavailable wraps an error with which PostgreSQL says that it can't work now, or with which it can't be reached.
func unavailable(err error) error {
	switch {
	case err == nil, errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case cannotWork(code(err)), isNetwork(err):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return err
}

// cannotWork reports whether a code says that PostgreSQL can't work now: it is of the connection, a transaction that may not write, or was
// undone, resources, locks, an operator, or the system.
func cannotWork(code string) bool {
	for _, class := range []string{"08", "25", "40", "53", "55", "57", "58"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// isNetwork reports whether a connection broke, or could not be made.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed)
}
