package storage

import "errors"

// Errors that callers branch on with errors.Is. Whatever else a backend returns is a fault of its own.
var (
	// ErrNotFound says that the push, recipient or dispatch asked for does not exist.
	ErrNotFound = errors.New("not found")

	// ErrConflict says that the state changed meanwhile, or does not allow what was asked for.
	ErrConflict = errors.New("conflicting change")

	// ErrRequestIDReused says that the app used the request id before, for another push.
	ErrRequestIDReused = errors.New("request_id was used for another push")

	// ErrFenced says that a leader with a later term has taken over; the caller leads no more.
	ErrFenced = errors.New("a later leader has taken over")

	// ErrHeldFull says that some of a batch's rows could not be held, for there are as many as there may be. The others were
	// stored, so that the batch may come again.
	ErrHeldFull = errors.New("no more callbacks of unknown messages can be held")

	// ErrUnavailable says that the store can't take work now: its queue is full, its disk fails, or it is closed.
	ErrUnavailable = errors.New("storage is unavailable")
)
