package forward

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Frame is a message as it was on the wire.
type Frame struct {
	data mem.BufferSlice
}

// NewFrame returns a frame of bytes, which must not be changed afterwards.
func NewFrame(data []byte) *Frame { return &Frame{mem.BufferSlice{mem.SliceBuffer(data)}} }

// Len is the number of its bytes.
func (f *Frame) Len() int { return f.data.Len() }

// Bytes returns a copy of its bytes.
func (f *Frame) Bytes() []byte { return f.data.Materialize() }

// Free gives its memory back.
func (f *Frame) Free() {
	f.data.Free()
	f.data = nil
}

// Decode reads the message as what it is.
func (f *Frame) Decode(into any) error {
	if err := protobuf().Unmarshal(f.data, into); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	return nil
}

// Codec passes frames through, and leaves other messages to protobuf's codec.
func Codec() encoding.CodecV2 { return codec{protobuf()} }

func protobuf() encoding.CodecV2 { return encoding.GetCodecV2(proto.Name) }

type codec struct{ encoding.CodecV2 }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	frame, raw := v.(*Frame)
	if !raw {
		return c.CodecV2.Marshal(v)
	}
	frame.data.Ref() // gRPC frees what it is given, and the frame may be sent once more
	return frame.data, nil
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	frame, raw := v.(*Frame)
	if !raw {
		return c.CodecV2.Unmarshal(data, v)
	}
	data.Ref()
	frame.data = data
	return nil
}
