package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	susulv1 "susul.dev/susul/gen/susul/v1"
)

// NewHTTPHandler returns both REST faces. The gateway reaches the gRPC services through conn, so that REST calls pass
// the same interceptors.
func (a *API) NewHTTPHandler(ctx context.Context, conn *grpc.ClientConn) (http.Handler, error) {
	gateway := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: true},
			// A misspelt field is an error, as it is over gRPC.
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}),
		runtime.WithErrorHandler(gatewayError),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		susulv1.RegisterPushServiceHandler,
		susulv1.RegisterCallbackServiceHandler,
		susulv1.RegisterResendPolicyServiceHandler,
	} {
		if err := register(ctx, gateway, conn); err != nil {
			return nil, fmt.Errorf("register gateway: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", http.MaxBytesHandler(gateway, maxRequestBytes))
	mux.Handle("POST /v1/apps/{app_key}/callbacks", a.withHTTPRecovery(callbackFault, a.serveCallbacks))
	a.routeV4(mux)
	return mux, nil
}

// gatewayError gives REST callers the headers that go with a status, and the gateway's own errors a reason.
func gatewayError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unavailable, codes.ResourceExhausted:
		setRetryAfter(w.Header())
	case codes.InvalidArgument:
		if len(s.Details()) == 0 { // the gateway could not read the request
			err = unreadable(s)
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}
