// Package susul is the client of Susul, which sends pushes through EngageLab and follows up with those whom they did not reach.
//
// Connect returns a Client, whose fields are the services as gRPC generates them. What is particular to Susul happens beneath:
//
//	call ─► deadline, request_id ─► attempt ─► answer
//	                                  ▲  │
//	                                  │  └─► *Error ─► the caller
//	                                  └── wait, where a repetition does no harm
//
// Pages and All go through what List calls return. Client.WatchEvents follows events through reconnections. Package callback
// verifies and reads what Susul posts.
package susul

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"susul.dev/susul/clients/go/susulv1"
)

// Version is that of this module.
const Version = "0.1.0"

// maxAnswer is how large an answer may be, in bytes.
const maxAnswer = 64 << 20

// A server that is gone without a word is noticed within these times; it takes a ping each 10 s at most.
const (
	pingAfter   = 30 * time.Second
	pingTimeout = 10 * time.Second
)

// Client is a connection to a Susul server. It may be used by several goroutines at once.
//
// A call whose context has no deadline gets 30 s; streams have none. Calls that do no harm when they are repeated are, up to 4 times in
// all, where that can help. Errors are *Error.
type Client struct {
	Pushes    susulv1.PushServiceClient
	Callbacks susulv1.CallbackServiceClient
	Policies  susulv1.ResendPolicyServiceClient
	Devices   susulv1.DeviceServiceClient
	Relay     susulv1.RelayServiceClient

	connection *grpc.ClientConn
	closed     context.Context // done once Close was called
	close      context.CancelFunc
}

// Credentials say who calls: App or Admin makes them.
type Credentials struct {
	authorization string
}

// App returns the credentials of an app, which sees itself only.
func App(key, masterSecret string) Credentials {
	return Credentials{"Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+masterSecret))}
}

// Admin returns the credentials of an administrator, who manages resend policies and sees all apps.
func Admin(token string) Credentials {
	return Credentials{"Bearer " + token}
}

// Connect returns a client of the server at an address, host:port or another target of gRPC's. It connects when the first call is made,
// and again whenever that is necessary: over TLS, unless the address is of this machine. Options of gRPC's may add to that or change
// it, for example grpc.WithTransportCredentials.
func Connect(address string, who Credentials, options ...grpc.DialOption) (*Client, error) {
	if who.authorization == "" {
		return nil, fmt.Errorf("susul: connect to %s: no credentials: give App or Admin", address)
	}
	protection := credentials.NewTLS(nil)
	if isLocal(address) {
		protection = insecure.NewCredentials()
	}
	connection, err := grpc.NewClient(address, append([]grpc.DialOption{
		grpc.WithTransportCredentials(protection),
		grpc.WithPerRPCCredentials(who),
		grpc.WithChainUnaryInterceptor(callUnary),
		grpc.WithChainStreamInterceptor(callStream),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithUserAgent("susul-go/" + Version),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("susul: connect to %s: %w", address, err)
	}
	client := &Client{
		Pushes:     susulv1.NewPushServiceClient(connection),
		Callbacks:  susulv1.NewCallbackServiceClient(connection),
		Policies:   susulv1.NewResendPolicyServiceClient(connection),
		Devices:    susulv1.NewDeviceServiceClient(connection),
		Relay:      susulv1.NewRelayServiceClient(connection),
		connection: connection,
	}
	client.closed, client.close = context.WithCancel(context.Background())
	return client, nil
}

// Close ends the connection, and the calls and watches that are under way.
func (c *Client) Close() error {
	c.close()
	if err := c.connection.Close(); err != nil {
		return fmt.Errorf("susul: close: %w", err)
	}
	return nil
}

// GetRequestMetadata is for gRPC.
func (c Credentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": c.authorization}, nil
}

// RequireTransportSecurity is for gRPC. Connect sees to it, unless its caller knows better.
func (c Credentials) RequireTransportSecurity() bool { return false }

// String keeps secrets out of logs.
func (c Credentials) String() string { return "credentials" }

// GoString keeps them out of logs, too.
func (c Credentials) GoString() string { return "susul.Credentials{}" }

// isLocal tells whether a target is of this machine.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	host := target[strings.LastIndex(target, "/")+1:] // dns:///localhost:7070
	for _, scheme := range []string{"dns:", "passthrough:"} {
		host = strings.TrimPrefix(host, scheme)
	}
	if address, err := netip.ParseAddrPort(host); err == nil {
		return address.Addr().Unmap().IsLoopback()
	}
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return address.Unmap().IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(name, "localhost")
}
