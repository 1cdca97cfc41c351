package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// NewHTTPHandler returns both REST faces. The gateway reaches the gRPC services through conn, so that REST calls pass
// the same interceptors.
func (a *API) NewHTTPHandler(ctx context.Context, conn *grpc.ClientConn) (http.Handler, error) {
	refuseUnknownParameters()
	gateway := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true},
			// A misspelt field is an error, as it is over gRPC.
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false, RecursionLimit: maxNesting},
		}),
		runtime.WithErrorHandler(gatewayError),
		runtime.WithRoutingErrorHandler(routingError),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		susulv1.RegisterPushServiceHandler,
		susulv1.RegisterCallbackServiceHandler,
		susulv1.RegisterDeviceServiceHandler,
		susulv1.RegisterResendPolicyServiceHandler,
		susulv1.RegisterRelayServiceHandler,
	} {
		if err := register(ctx, gateway, conn); err != nil {
			return nil, fmt.Errorf("register gateway: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", a.admit(gateway))
	a.routeOffered(mux)
	elsewhere := a.withHTTPRecovery(v4Fault, a.serveElsewhere)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := http.Handler(mux)
		if strings.HasPrefix(r.URL.Path, "/v4/") && !clean(r.URL.EscapedPath()) {
			handler = elsewhere // the mux would redirect the caller to a path that was not asked for
		}
		handler.ServeHTTP(statusHeaders{w}, r)
	}), nil
}

// clean reports whether a path has no empty segments, and none of dots.
func clean(escaped string) bool {
	cleaned := path.Clean(escaped)
	return cleaned == escaped || cleaned+"/" == escaped
}

// refuseUnknownParameters sets what the gateway keeps in a variable for the whole process.
var refuseUnknownParameters = sync.OnceFunc(func() {
	runtime.NewServeMux(runtime.SetQueryParameterParser(&strictQuery{}))
})

// strictQuery refuses parameters that a request does not have. The gateway would pass over them, and a misspelt filter
// would list everything.
type strictQuery struct{ runtime.DefaultQueryParser }

// Parse is called for requests that take parameters.
func (q *strictQuery) Parse(req proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	for name := range values {
		if !leadsToField(req.ProtoReflect().Descriptor(), name) {
			return fmt.Errorf("there is no parameter %q", name)
		}
	}
	return q.DefaultQueryParser.Parse(req, values, filter)
}

func leadsToField(message protoreflect.MessageDescriptor, path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if message == nil {
			return false
		}
		field := message.Fields().ByTextName(name)
		if field == nil {
			field = message.Fields().ByJSONName(name)
		}
		if field == nil {
			return false
		}
		message = field.Message()
	}
	return true
}

// admit lets callers with credentials through to the gateway, with bodies that are read under bounds: the gateway itself
// would read every stranger's body before anybody asks who calls.
func (a *API) admit(gateway *runtime.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := a.auth.authenticate(r.Header.Get("Authorization"))
		if err == nil {
			var body []byte
			var done func()
			if body, done, err = a.bodies.read(w, r, maxRequestBytes); err == nil {
				defer done()
				r.Body = io.NopCloser(bytes.NewReader(body))
				gateway.ServeHTTP(w, r)
				return
			}
		}
		_, marshaler := runtime.MarshalerForRequest(gateway, r)
		fault := faultOf(err)
		runtime.HTTPError(r.Context(), gateway, marshaler, w, r, &runtime.HTTPStatusError{HTTPStatus: httpStatus(fault), Err: toStatus(fault)})
	})
}

// statusHeaders adds the headers that go with a status, whichever face answers.
type statusHeaders struct{ http.ResponseWriter }

// WriteHeader tells callers how to authenticate, or when to come back.
func (w statusHeaders) WriteHeader(code int) {
	switch code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="Susul"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController flush streams.
func (w statusHeaders) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// routingError answers calls that no RPC has.
func routingError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	runtime.HTTPError(ctx, mux, m, w, r, &runtime.HTTPStatusError{
		HTTPStatus: code, Err: toStatus(notFound(r.Method + " " + r.URL.Path)),
	})
}

// gatewayError gives the gateway's own errors a reason.
func gatewayError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if s := status.Convert(err); s.Code() == codes.InvalidArgument && len(s.Details()) == 0 {
		err = unreadable(s) // the gateway could not read the request
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}
