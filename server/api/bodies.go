package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// maxBodiesBytes bounds the bodies that are held at the same time, over all calls outside of gRPC.
const maxBodiesBytes = 128 << 20

const (
	// firstBytes is the memory that a body gets before any of it has come: most callbacks fit.
	firstBytes = 64 << 10

	// pooledBytes is the largest memory that is kept for another body.
	pooledBytes = 1 << 20
)

// bodies hands out memory for request bodies. A body holds what has come of it, about, whatever length it has announced:
// who sends slowly keeps nothing from others.
type bodies struct {
	free *semaphore.Weighted
	pool *sync.Pool // of *[]byte
}

func newBodies() bodies {
	return bodies{semaphore.NewWeighted(maxBodiesBytes), &sync.Pool{New: func() any { return new([]byte) }}}
}

// read returns a body of at most limit bytes; call done when it is no longer used. When too much is held already, the
// call is refused at once.
func (b bodies) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	memory := b.pool.Get().(*[]byte)
	held := int64(0)
	done = func() {
		b.free.Release(held)
		if cap(*memory) <= pooledBytes {
			b.pool.Put(memory)
		}
	}
	from := http.MaxBytesReader(w, r.Body, limit)
	for body = (*memory)[:0]; ; {
		if free := held - int64(len(body)); free == 0 {
			more := max(held, firstBytes)
			if !b.free.TryAcquire(more) {
				done()
				return nil, nil, errNoRoom
			}
			held += more
			body = slices.Grow(body, int(held)-len(body))
			*memory = body
		}
		n, err := from.Read(body[len(body):held])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, done, nil
		case err != nil:
			done()
			return nil, nil, bodyFault(err)
		}
	}
}

var errNoRoom = &Fault{
	Code: codes.Unavailable, Reason: susulv1.ErrorReason_ERROR_REASON_OVERLOADED, Retry: true,
	Message: "too many large requests at once: try again",
}

// bodyFault tells a body over the limit from one that broke off.
func bodyFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Fault{
			Code: codes.OutOfRange, HTTPStatus: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit),
		}
	}
	return invalid("body", "could not be read to its end")
}
