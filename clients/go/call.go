package susul

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"susul.dev/susul/clients/go/susulv1"
)

const (
	defaultTimeout = 30 * time.Second
	maxAttempts    = 4
)

// repeatable are the methods that change nothing when they are repeated. All that only read are, too.
var repeatable = map[string]bool{
	"BacktestResendPolicy": true,
	"CreatePush":           true, // by its request_id
	"ExplainRecipient":     true,
	"PauseRelayEndpoint":   true,
	"PreviewResendPolicy":  true,
	"ReportCallbacks":      true,
	"ResumeRelayEndpoint":  true,
	"ReviveDevices":        true,
	"SetDevices":           true,
	"UpdateFollowUpSwitch": true,
	"ValidatePush":         true,
}

func mayRepeat(method string) bool {
	name := path.Base(method)
	return repeatable[name] || strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List")
}

// callUnary makes a call: once, or a few times where a repetition does no harm and can help.
func callUnary(
	ctx context.Context, method string, request, answer any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption,
) error {
	end, limited := ctx.Deadline()
	if !limited {
		end = time.Now().Add(defaultTimeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end)
		defer cancel()
	}
	if create, ok := request.(*susulv1.CreatePushRequest); ok {
		request = identified(create)
	}
	var pauses backoff
	for attempt := 1; ; attempt++ {
		err := translated(invoke(ctx, method, request, answer, connection, options...))
		if err == nil || attempt == maxAttempts || !mayRepeat(method) || !passes(err) {
			return err
		}
		if pause := pauses.after(err); pause >= time.Until(end) || sleep(ctx, pause) != nil {
			return err
		}
	}
}

// passes tells whether a repetition of the call may succeed.
func passes(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted && e.RetryAfter > 0)
}

// identified returns a request whose push has a request_id, by which a repetition is known. EngageLab's cid serves as well, if it is
// given. The caller's own message stays as it is, so that it may be sent again as another push.
func identified(request *susulv1.CreatePushRequest) *susulv1.CreatePushRequest {
	push := request.GetPush()
	options := push.GetAdditional().GetFields()["options"].GetStructValue()
	if push == nil || push.GetRequestId() != "" || options.GetFields()["cid"] != nil {
		return request
	}
	request = proto.CloneOf(request)
	request.Push.RequestId = newUUID()
	return request
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// callStream opens a stream whose errors are *Error.
func callStream(
	ctx context.Context, desc *grpc.StreamDesc, connection *grpc.ClientConn, method string, open grpc.Streamer,
	options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	opened, err := open(ctx, desc, connection, method, options...)
	if err != nil {
		return nil, translated(err)
	}
	return stream{opened}, nil
}

// stream is a stream whose errors are *Error.
type stream struct {
	grpc.ClientStream
}

func (s stream) SendMsg(message any) error { return translated(s.ClientStream.SendMsg(message)) }

func (s stream) RecvMsg(message any) error { return translated(s.ClientStream.RecvMsg(message)) }
