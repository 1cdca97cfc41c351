package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// maxBodiesBytes bounds the bodies that are held at the same time, over all calls outside of gRPC.
const maxBodiesBytes = 128 << 20

// bodies hands out memory for request bodies.
type bodies struct {
	free *semaphore.Weighted
}

func newBodies() bodies { return bodies{semaphore.NewWeighted(maxBodiesBytes)} }

// read returns a body of at most limit bytes; call done when it is no longer used. When too much is held already, the
// call is refused at once.
func (b bodies) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), err error) {
	size := limit
	if r.ContentLength >= 0 && r.ContentLength < limit {
		size = r.ContentLength
	}
	if !b.free.TryAcquire(size) {
		return nil, nil, &Fault{
			Code: codes.Unavailable, Reason: susulv1.ErrorReason_ERROR_REASON_OVERLOADED, Retry: true,
			Message: "too many large requests at once: try again",
		}
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		b.free.Release(size)
		return nil, nil, bodyFault(err)
	}
	return body, func() { b.free.Release(size) }, nil
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
