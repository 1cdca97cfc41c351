package susul

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// PageRequest is the request of a List call.
type PageRequest interface {
	proto.Message
	GetPageToken() string
}

// PageAnswer is the answer of a List call.
type PageAnswer interface {
	GetNextPageToken() string
}

// Pages yields the answers of a List call, page after page, from the one that the request asks for. An error is the last that it yields.
//
//	for page, err := range susul.Pages(ctx, client.Pushes.ListPushes, &susulv1.ListPushesRequest{Parent: "apps/demo"}) {
func Pages[Q PageRequest, A PageAnswer](
	ctx context.Context, list func(context.Context, Q, ...grpc.CallOption) (A, error), request Q,
) iter.Seq2[A, error] {
	return func(yield func(A, error) bool) {
		request := proto.CloneOf(request)
		token := request.ProtoReflect().Descriptor().Fields().ByName("page_token")
		for {
			page, err := list(ctx, request)
			if !yield(page, err) || err != nil || page.GetNextPageToken() == "" {
				return
			}
			request.ProtoReflect().Set(token, protoreflect.ValueOfString(page.GetNextPageToken()))
		}
	}
}

// All yields what is in the pages of a List call. An error is the last that it yields.
//
//	for push, err := range susul.All(ctx, client.Pushes.ListPushes, request, (*susulv1.ListPushesResponse).GetPushes) {
func All[Q PageRequest, A PageAnswer, T any](
	ctx context.Context, list func(context.Context, Q, ...grpc.CallOption) (A, error), request Q, items func(A) []T,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range Pages(ctx, list, request) {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items(page) {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}
