package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

const (
	// maxSmallBytes and maxLargeBytes bound the bodies that are held at the same time, over all calls outside of gRPC. The
	// beginning of each counts as small, so that large ones leave room for EngageLab's batches.
	maxSmallBytes = 128 << 20
	maxLargeBytes = 96 << 20

	// firstBodyBytes is what a body gets at once, if it says that it needs it. More is given as more comes: a length
	// that is only announced must not take it from others.
	firstBodyBytes = 64 << 10

	// pooledFrom is the announced length from which on that memory is taken from, and goes back to, a pool.
	pooledFrom = 8 << 10
)

// bodies hands out memory for request bodies.
type bodies struct {
	small, large *semaphore.Weighted
	pool         *sync.Pool // of *[firstBodyBytes]byte
}

func newBodies() bodies {
	return bodies{
		semaphore.NewWeighted(maxSmallBytes), semaphore.NewWeighted(maxLargeBytes),
		&sync.Pool{New: func() any { return new([firstBodyBytes]byte) }},
	}
}

// read returns a body of at most limit bytes; call done when it is no longer used. When too much is held already, the
// call is refused at once. So is a compressed body: what it grows to is anybody's guess.
func (b bodies) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, nil, &Fault{
			Code: codes.InvalidArgument, Reason: susulv1.ErrorReason_ERROR_REASON_INVALID_REQUEST,
			HTTPStatus: http.StatusUnsupportedMediaType, Message: "the body must come without Content-Encoding",
		}
	}
	if r.ContentLength > limit {
		return nil, nil, tooLarge(limit)
	}
	first, rest := firstSize(r.ContentLength), int64(0)
	if !b.small.TryAcquire(first) {
		return nil, nil, errBodiesFull
	}
	memory, giveBack := b.memory(first)
	done = func() {
		giveBack()
		b.small.Release(first)
		b.large.Release(rest)
	}
	source := http.MaxBytesReader(w, r.Body, limit)
	body, err = fill(memory, source)
	for err == nil {
		more := int64(len(body))
		if !b.large.TryAcquire(more) {
			done()
			return nil, nil, errBodiesFull
		}
		rest += more
		body, err = fill(slices.Grow(body, len(body)), source)
	}
	if !errors.Is(err, io.EOF) {
		done()
		return nil, nil, bodyFault(err)
	}
	return body, done, nil
}

// errBodiesFull makes callers come back.
var errBodiesFull = &Fault{
	Code: codes.Unavailable, Reason: susulv1.ErrorReason_ERROR_REASON_OVERLOADED, Retry: true,
	Message: "too many large requests at once: try again",
}

// firstSize leaves room for the read that finds the end.
func firstSize(announced int64) int64 {
	if announced < 0 || announced >= pooledFrom {
		return firstBodyBytes
	}
	return announced + 1
}

// memory returns empty memory of a capacity that firstSize gave.
func (b bodies) memory(size int64) (memory []byte, giveBack func()) {
	if size < firstBodyBytes {
		return make([]byte, 0, size), func() {}
	}
	pooled := b.pool.Get().(*[firstBodyBytes]byte)
	return pooled[:0], func() { b.pool.Put(pooled) }
}

// fill reads until the capacity is used up, or to the source's end: that is io.EOF.
func fill(body []byte, source io.Reader) ([]byte, error) {
	for len(body) < cap(body) {
		n, err := source.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

// bodyFault tells a body over the limit, and one that comes too slowly, from one that broke off.
func bodyFault(err error) error {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge(over.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Fault{Code: codes.DeadlineExceeded, HTTPStatus: http.StatusRequestTimeout, Message: "the body came too slowly"}
	default:
		return invalid("body", "could not be read to its end")
	}
}

func tooLarge(limit int64) *Fault {
	return &Fault{
		Code: codes.OutOfRange, Reason: susulv1.ErrorReason_ERROR_REASON_TOO_LARGE, HTTPStatus: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("the body has more than %d bytes", limit),
	}
}
