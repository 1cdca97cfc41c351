package api

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// silentStream is a stream whose caller sends nothing for as long as the call lasts.
type silentStream struct {
	grpc.ServerStream
	call context.Context
}

func (s silentStream) Context() context.Context { return s.call }

func (s silentStream) RecvMsg(any) error {
	<-s.call.Done()
	return s.call.Err()
}

// A stream that waits for its caller ends with the node's work.
func TestStreamsEndWhileTheyWait(t *testing.T) {
	a := &API{}
	waiting := make(chan struct{})
	go func() {
		<-waiting
		a.EndStreams()
	}()
	err := a.streamsEnd(nil, silentStream{call: t.Context()}, &grpc.StreamServerInfo{}, func(_ any, stream grpc.ServerStream) error {
		close(waiting)
		return stream.RecvMsg(nil)
	})
	require.ErrorIs(t, err, errStreamEnded)
}
