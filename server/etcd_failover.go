package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// memberTimeout bounds one member's answer to one call, in real time. A member that froze, or whose packets get lost, is noticed by its
// connection only after 13 s; until then each third call would go there and wait for its caller's deadline.
const memberTimeout = time.Second

// errSilentMember says that a call may have had its effect, or not.
var errSilentMember = errors.New("a member of etcd did not answer in time")

// bounded bounds each try of a call to etcd. The client tries again, with the next member, what may be repeated; and, as it looks alone
// at whose time is up, also transactions. Who writes those must know of it, and gets another error.
func bounded(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
	if strings.HasPrefix(method, "/etcdserverpb.Maintenance/") { // takes as long as there is data
		return invoke(ctx, method, req, reply, cc, o...)
	}
	try, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	err := invoke(try, method, req, reply, cc, o...)
	if err != nil && try.Err() != nil && ctx.Err() == nil && method == "/etcdserverpb.KV/Txn" {
		return errors.Join(errSilentMember, err)
	}
	return err
}
