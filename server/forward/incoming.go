package forward

import (
	"context"
	"crypto/subtle"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// The metadata between nodes.
const (
	ownPrefix = "susul-forward-"
	tokenKey  = ownPrefix + "token" // of the process that a call is meant for
	takenKey  = ownPrefix + "taken" // in trailers, and in the header of a stream
	sourceKey = ownPrefix + "source"

	taken    = "yes"
	notTaken = "no"
)

// Methods that are for nodes only. They belong to no service that could be listed.
const (
	MethodPing = "/susul.forward/Ping"
	MethodHTTP = "/susul.forward/HTTP"
)

// Origin says where a call comes from.
type Origin int

// Origins.
const (
	Direct    Origin = iota // from a caller
	Forwarded               // from a node, and meant for this process
	Astray                  // marked as forwarded, and not meant for this process
)

// Incoming says where a call comes from. The token is this process's.
func Incoming(ctx context.Context, token string) Origin {
	given := metadata.ValueFromIncomingContext(ctx, tokenKey)
	switch {
	case len(given) == 0:
		return Direct
	case len(given) == 1 && token != "" && subtle.ConstantTimeCompare([]byte(given[0]), []byte(token)) == 1:
		return Forwarded
	default:
		return Astray
	}
}

// Take tells the node that forwarded a call that it is worked on, once it is answered.
func Take(stream grpc.ServerStream) { stream.SetTrailer(metadata.Pairs(takenKey, taken)) }

// TakeStream tells the same before the first message.
func TakeStream(stream grpc.ServerStream) error {
	Take(stream)
	return stream.SendHeader(metadata.Pairs(takenKey, taken))
}

// Refuse tells the node that forwarded a call that nobody works on it.
func Refuse(stream grpc.ServerStream) { stream.SetTrailer(metadata.Pairs(takenKey, notTaken)) }
