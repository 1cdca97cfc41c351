package susul

import (
	"context"
	"errors"
	"iter"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"susul.dev/susul/clients/go/susulv1"
)

// final are the codes of errors that no repetition cures.
var final = map[codes.Code]bool{
	codes.InvalidArgument:    true,
	codes.Unauthenticated:    true,
	codes.PermissionDenied:   true,
	codes.NotFound:           true,
	codes.FailedPrecondition: true,
	codes.OutOfRange:         true,
	codes.Unimplemented:      true,
}

// WatchEvents yields an app's events as they are stored. When its stream ends or breaks, another is opened where it stood: nothing is
// missed, and nothing comes twice. It ends when the loop is left; when the context or the client does, with an error that is
// context.Canceled or context.DeadlineExceeded; or with an error that no repetition cures, for example ReasonNotFound.
//
// An answer has an event, if there was one to tell, and a resume_token: the first answer, which comes at once, has no event. Who stores
// the token of the last answer that was dealt with, and begins with it later, misses nothing in between.
func (c *Client) WatchEvents(
	ctx context.Context, request *susulv1.WatchEventsRequest,
) iter.Seq2[*susulv1.WatchEventsResponse, error] {
	return func(yield func(*susulv1.WatchEventsResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(c.closed, cancel)() //nolint:contextcheck // it is the client's end, not a call's context
		request := proto.CloneOf(request)
		var pauses backoff
		for {
			answers := 0
			err := c.follow(ctx, request, func(answer *susulv1.WatchEventsResponse) bool {
				if answers++; answers > 1 { // the first one comes even from a server that is about to go
					pauses.reset()
				}
				return yield(answer, nil)
			})
			if errors.Is(err, errLeft) {
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || !final[e.Code] {
				if err = sleep(ctx, pauses.after(err)); err == nil {
					continue
				}
			}
			yield(nil, err)
			return
		}
	}
}

// errLeft says that nobody wants more answers.
var errLeft = errors.New("the loop was left")

// follow hands out what one stream brings and moves the request on. It returns why the stream ended, io.EOF if for no reason.
func (c *Client) follow(
	ctx context.Context, request *susulv1.WatchEventsRequest, hand func(*susulv1.WatchEventsResponse) bool,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Callbacks.WatchEvents(ctx, request)
	if err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		request.ResumeToken = answer.GetResumeToken()
		if !hand(answer) {
			return errLeft
		}
	}
}
