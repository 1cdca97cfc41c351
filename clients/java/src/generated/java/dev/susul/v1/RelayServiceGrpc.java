package dev.susul.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
 * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class RelayServiceGrpc {

  private RelayServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "susul.v1.RelayService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetRelayEndpointRequest,
      dev.susul.v1.GetRelayEndpointResponse> getGetRelayEndpointMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetRelayEndpoint",
      requestType = dev.susul.v1.GetRelayEndpointRequest.class,
      responseType = dev.susul.v1.GetRelayEndpointResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetRelayEndpointRequest,
      dev.susul.v1.GetRelayEndpointResponse> getGetRelayEndpointMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetRelayEndpointRequest, dev.susul.v1.GetRelayEndpointResponse> getGetRelayEndpointMethod;
    if ((getGetRelayEndpointMethod = RelayServiceGrpc.getGetRelayEndpointMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getGetRelayEndpointMethod = RelayServiceGrpc.getGetRelayEndpointMethod) == null) {
          RelayServiceGrpc.getGetRelayEndpointMethod = getGetRelayEndpointMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetRelayEndpointRequest, dev.susul.v1.GetRelayEndpointResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetRelayEndpoint"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetRelayEndpointRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetRelayEndpointResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("GetRelayEndpoint"))
              .build();
        }
      }
    }
    return getGetRelayEndpointMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListRelayEndpointsRequest,
      dev.susul.v1.ListRelayEndpointsResponse> getListRelayEndpointsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRelayEndpoints",
      requestType = dev.susul.v1.ListRelayEndpointsRequest.class,
      responseType = dev.susul.v1.ListRelayEndpointsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListRelayEndpointsRequest,
      dev.susul.v1.ListRelayEndpointsResponse> getListRelayEndpointsMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListRelayEndpointsRequest, dev.susul.v1.ListRelayEndpointsResponse> getListRelayEndpointsMethod;
    if ((getListRelayEndpointsMethod = RelayServiceGrpc.getListRelayEndpointsMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getListRelayEndpointsMethod = RelayServiceGrpc.getListRelayEndpointsMethod) == null) {
          RelayServiceGrpc.getListRelayEndpointsMethod = getListRelayEndpointsMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListRelayEndpointsRequest, dev.susul.v1.ListRelayEndpointsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRelayEndpoints"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListRelayEndpointsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListRelayEndpointsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("ListRelayEndpoints"))
              .build();
        }
      }
    }
    return getListRelayEndpointsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.PauseRelayEndpointRequest,
      dev.susul.v1.PauseRelayEndpointResponse> getPauseRelayEndpointMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "PauseRelayEndpoint",
      requestType = dev.susul.v1.PauseRelayEndpointRequest.class,
      responseType = dev.susul.v1.PauseRelayEndpointResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.PauseRelayEndpointRequest,
      dev.susul.v1.PauseRelayEndpointResponse> getPauseRelayEndpointMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.PauseRelayEndpointRequest, dev.susul.v1.PauseRelayEndpointResponse> getPauseRelayEndpointMethod;
    if ((getPauseRelayEndpointMethod = RelayServiceGrpc.getPauseRelayEndpointMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getPauseRelayEndpointMethod = RelayServiceGrpc.getPauseRelayEndpointMethod) == null) {
          RelayServiceGrpc.getPauseRelayEndpointMethod = getPauseRelayEndpointMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.PauseRelayEndpointRequest, dev.susul.v1.PauseRelayEndpointResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "PauseRelayEndpoint"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.PauseRelayEndpointRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.PauseRelayEndpointResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("PauseRelayEndpoint"))
              .build();
        }
      }
    }
    return getPauseRelayEndpointMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ResumeRelayEndpointRequest,
      dev.susul.v1.ResumeRelayEndpointResponse> getResumeRelayEndpointMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ResumeRelayEndpoint",
      requestType = dev.susul.v1.ResumeRelayEndpointRequest.class,
      responseType = dev.susul.v1.ResumeRelayEndpointResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ResumeRelayEndpointRequest,
      dev.susul.v1.ResumeRelayEndpointResponse> getResumeRelayEndpointMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ResumeRelayEndpointRequest, dev.susul.v1.ResumeRelayEndpointResponse> getResumeRelayEndpointMethod;
    if ((getResumeRelayEndpointMethod = RelayServiceGrpc.getResumeRelayEndpointMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getResumeRelayEndpointMethod = RelayServiceGrpc.getResumeRelayEndpointMethod) == null) {
          RelayServiceGrpc.getResumeRelayEndpointMethod = getResumeRelayEndpointMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ResumeRelayEndpointRequest, dev.susul.v1.ResumeRelayEndpointResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ResumeRelayEndpoint"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ResumeRelayEndpointRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ResumeRelayEndpointResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("ResumeRelayEndpoint"))
              .build();
        }
      }
    }
    return getResumeRelayEndpointMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.TestRelayEndpointRequest,
      dev.susul.v1.TestRelayEndpointResponse> getTestRelayEndpointMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "TestRelayEndpoint",
      requestType = dev.susul.v1.TestRelayEndpointRequest.class,
      responseType = dev.susul.v1.TestRelayEndpointResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.TestRelayEndpointRequest,
      dev.susul.v1.TestRelayEndpointResponse> getTestRelayEndpointMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.TestRelayEndpointRequest, dev.susul.v1.TestRelayEndpointResponse> getTestRelayEndpointMethod;
    if ((getTestRelayEndpointMethod = RelayServiceGrpc.getTestRelayEndpointMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getTestRelayEndpointMethod = RelayServiceGrpc.getTestRelayEndpointMethod) == null) {
          RelayServiceGrpc.getTestRelayEndpointMethod = getTestRelayEndpointMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.TestRelayEndpointRequest, dev.susul.v1.TestRelayEndpointResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "TestRelayEndpoint"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.TestRelayEndpointRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.TestRelayEndpointResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("TestRelayEndpoint"))
              .build();
        }
      }
    }
    return getTestRelayEndpointMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListDeadLettersRequest,
      dev.susul.v1.ListDeadLettersResponse> getListDeadLettersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListDeadLetters",
      requestType = dev.susul.v1.ListDeadLettersRequest.class,
      responseType = dev.susul.v1.ListDeadLettersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListDeadLettersRequest,
      dev.susul.v1.ListDeadLettersResponse> getListDeadLettersMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListDeadLettersRequest, dev.susul.v1.ListDeadLettersResponse> getListDeadLettersMethod;
    if ((getListDeadLettersMethod = RelayServiceGrpc.getListDeadLettersMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getListDeadLettersMethod = RelayServiceGrpc.getListDeadLettersMethod) == null) {
          RelayServiceGrpc.getListDeadLettersMethod = getListDeadLettersMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListDeadLettersRequest, dev.susul.v1.ListDeadLettersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListDeadLetters"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListDeadLettersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListDeadLettersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("ListDeadLetters"))
              .build();
        }
      }
    }
    return getListDeadLettersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.DeleteDeadLetterRequest,
      dev.susul.v1.DeleteDeadLetterResponse> getDeleteDeadLetterMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteDeadLetter",
      requestType = dev.susul.v1.DeleteDeadLetterRequest.class,
      responseType = dev.susul.v1.DeleteDeadLetterResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.DeleteDeadLetterRequest,
      dev.susul.v1.DeleteDeadLetterResponse> getDeleteDeadLetterMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.DeleteDeadLetterRequest, dev.susul.v1.DeleteDeadLetterResponse> getDeleteDeadLetterMethod;
    if ((getDeleteDeadLetterMethod = RelayServiceGrpc.getDeleteDeadLetterMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getDeleteDeadLetterMethod = RelayServiceGrpc.getDeleteDeadLetterMethod) == null) {
          RelayServiceGrpc.getDeleteDeadLetterMethod = getDeleteDeadLetterMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.DeleteDeadLetterRequest, dev.susul.v1.DeleteDeadLetterResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteDeadLetter"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteDeadLetterRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteDeadLetterResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("DeleteDeadLetter"))
              .build();
        }
      }
    }
    return getDeleteDeadLetterMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ReplayEventsRequest,
      dev.susul.v1.ReplayEventsResponse> getReplayEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ReplayEvents",
      requestType = dev.susul.v1.ReplayEventsRequest.class,
      responseType = dev.susul.v1.ReplayEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ReplayEventsRequest,
      dev.susul.v1.ReplayEventsResponse> getReplayEventsMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ReplayEventsRequest, dev.susul.v1.ReplayEventsResponse> getReplayEventsMethod;
    if ((getReplayEventsMethod = RelayServiceGrpc.getReplayEventsMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getReplayEventsMethod = RelayServiceGrpc.getReplayEventsMethod) == null) {
          RelayServiceGrpc.getReplayEventsMethod = getReplayEventsMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ReplayEventsRequest, dev.susul.v1.ReplayEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ReplayEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ReplayEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ReplayEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("ReplayEvents"))
              .build();
        }
      }
    }
    return getReplayEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListReplaysRequest,
      dev.susul.v1.ListReplaysResponse> getListReplaysMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListReplays",
      requestType = dev.susul.v1.ListReplaysRequest.class,
      responseType = dev.susul.v1.ListReplaysResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListReplaysRequest,
      dev.susul.v1.ListReplaysResponse> getListReplaysMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListReplaysRequest, dev.susul.v1.ListReplaysResponse> getListReplaysMethod;
    if ((getListReplaysMethod = RelayServiceGrpc.getListReplaysMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getListReplaysMethod = RelayServiceGrpc.getListReplaysMethod) == null) {
          RelayServiceGrpc.getListReplaysMethod = getListReplaysMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListReplaysRequest, dev.susul.v1.ListReplaysResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListReplays"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListReplaysRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListReplaysResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("ListReplays"))
              .build();
        }
      }
    }
    return getListReplaysMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.CancelReplayRequest,
      dev.susul.v1.CancelReplayResponse> getCancelReplayMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CancelReplay",
      requestType = dev.susul.v1.CancelReplayRequest.class,
      responseType = dev.susul.v1.CancelReplayResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.CancelReplayRequest,
      dev.susul.v1.CancelReplayResponse> getCancelReplayMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.CancelReplayRequest, dev.susul.v1.CancelReplayResponse> getCancelReplayMethod;
    if ((getCancelReplayMethod = RelayServiceGrpc.getCancelReplayMethod) == null) {
      synchronized (RelayServiceGrpc.class) {
        if ((getCancelReplayMethod = RelayServiceGrpc.getCancelReplayMethod) == null) {
          RelayServiceGrpc.getCancelReplayMethod = getCancelReplayMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.CancelReplayRequest, dev.susul.v1.CancelReplayResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CancelReplay"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CancelReplayRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CancelReplayResponse.getDefaultInstance()))
              .setSchemaDescriptor(new RelayServiceMethodDescriptorSupplier("CancelReplay"))
              .build();
        }
      }
    }
    return getCancelReplayMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static RelayServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RelayServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RelayServiceStub>() {
        @java.lang.Override
        public RelayServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RelayServiceStub(channel, callOptions);
        }
      };
    return RelayServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static RelayServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RelayServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RelayServiceBlockingV2Stub>() {
        @java.lang.Override
        public RelayServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RelayServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return RelayServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static RelayServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RelayServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RelayServiceBlockingStub>() {
        @java.lang.Override
        public RelayServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RelayServiceBlockingStub(channel, callOptions);
        }
      };
    return RelayServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static RelayServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<RelayServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<RelayServiceFutureStub>() {
        @java.lang.Override
        public RelayServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new RelayServiceFutureStub(channel, callOptions);
        }
      };
    return RelayServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
   * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * GetRelayEndpoint returns an endpoint and its health.
     * </pre>
     */
    default void getRelayEndpoint(dev.susul.v1.GetRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetRelayEndpointMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListRelayEndpoints returns an app's endpoints in the order of their names.
     * </pre>
     */
    default void listRelayEndpoints(dev.susul.v1.ListRelayEndpointsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListRelayEndpointsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRelayEndpointsMethod(), responseObserver);
    }

    /**
     * <pre>
     * PauseRelayEndpoint keeps an endpoint of callback_urls from being posted to. Its events wait, as long as the server's
     * `storage.retention`. A subscription has `paused` for this.
     * </pre>
     */
    default void pauseRelayEndpoint(dev.susul.v1.PauseRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.PauseRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPauseRelayEndpointMethod(), responseObserver);
    }

    /**
     * <pre>
     * ResumeRelayEndpoint has an endpoint that is paused, gone or failing tried at once.
     * </pre>
     */
    default void resumeRelayEndpoint(dev.susul.v1.ResumeRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ResumeRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResumeRelayEndpointMethod(), responseObserver);
    }

    /**
     * <pre>
     * TestRelayEndpoint posts a made-up event, signed like any other, and waits for the answer. Its `susul.test` is true. Neither
     * the endpoint's health nor its order of events is touched; it works on a paused endpoint too.
     * </pre>
     */
    default void testRelayEndpoint(dev.susul.v1.TestRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.TestRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getTestRelayEndpointMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListDeadLetters returns what an endpoint did not get, the longest given up first.
     * </pre>
     */
    default void listDeadLetters(dev.susul.v1.ListDeadLettersRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListDeadLettersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListDeadLettersMethod(), responseObserver);
    }

    /**
     * <pre>
     * DeleteDeadLetter forgets that events were given up. They stay stored.
     * </pre>
     */
    default void deleteDeadLetter(dev.susul.v1.DeleteDeadLetterRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteDeadLetterResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteDeadLetterMethod(), responseObserver);
    }

    /**
     * <pre>
     * ReplayEvents has stored events posted to an endpoint again: a dead letter's, which thereby is one no more; one event; or those of
     * a push or a time span.
     * </pre>
     */
    default void replayEvents(dev.susul.v1.ReplayEventsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ReplayEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReplayEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListReplays returns the replays that are not done yet, the earliest first.
     * </pre>
     */
    default void listReplays(dev.susul.v1.ListReplaysRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListReplaysResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListReplaysMethod(), responseObserver);
    }

    /**
     * <pre>
     * CancelReplay stops a replay. What it posted is not undone.
     * </pre>
     */
    default void cancelReplay(dev.susul.v1.CancelReplayRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CancelReplayResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelReplayMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service RelayService.
   * <pre>
   * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
   * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
   * </pre>
   */
  public static abstract class RelayServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return RelayServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service RelayService.
   * <pre>
   * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
   * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
   * </pre>
   */
  public static final class RelayServiceStub
      extends io.grpc.stub.AbstractAsyncStub<RelayServiceStub> {
    private RelayServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RelayServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RelayServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * GetRelayEndpoint returns an endpoint and its health.
     * </pre>
     */
    public void getRelayEndpoint(dev.susul.v1.GetRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetRelayEndpointMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListRelayEndpoints returns an app's endpoints in the order of their names.
     * </pre>
     */
    public void listRelayEndpoints(dev.susul.v1.ListRelayEndpointsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListRelayEndpointsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRelayEndpointsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * PauseRelayEndpoint keeps an endpoint of callback_urls from being posted to. Its events wait, as long as the server's
     * `storage.retention`. A subscription has `paused` for this.
     * </pre>
     */
    public void pauseRelayEndpoint(dev.susul.v1.PauseRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.PauseRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPauseRelayEndpointMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ResumeRelayEndpoint has an endpoint that is paused, gone or failing tried at once.
     * </pre>
     */
    public void resumeRelayEndpoint(dev.susul.v1.ResumeRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ResumeRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResumeRelayEndpointMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * TestRelayEndpoint posts a made-up event, signed like any other, and waits for the answer. Its `susul.test` is true. Neither
     * the endpoint's health nor its order of events is touched; it works on a paused endpoint too.
     * </pre>
     */
    public void testRelayEndpoint(dev.susul.v1.TestRelayEndpointRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.TestRelayEndpointResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getTestRelayEndpointMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListDeadLetters returns what an endpoint did not get, the longest given up first.
     * </pre>
     */
    public void listDeadLetters(dev.susul.v1.ListDeadLettersRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListDeadLettersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListDeadLettersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * DeleteDeadLetter forgets that events were given up. They stay stored.
     * </pre>
     */
    public void deleteDeadLetter(dev.susul.v1.DeleteDeadLetterRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteDeadLetterResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteDeadLetterMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ReplayEvents has stored events posted to an endpoint again: a dead letter's, which thereby is one no more; one event; or those of
     * a push or a time span.
     * </pre>
     */
    public void replayEvents(dev.susul.v1.ReplayEventsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ReplayEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReplayEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListReplays returns the replays that are not done yet, the earliest first.
     * </pre>
     */
    public void listReplays(dev.susul.v1.ListReplaysRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListReplaysResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListReplaysMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * CancelReplay stops a replay. What it posted is not undone.
     * </pre>
     */
    public void cancelReplay(dev.susul.v1.CancelReplayRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CancelReplayResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelReplayMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service RelayService.
   * <pre>
   * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
   * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
   * </pre>
   */
  public static final class RelayServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<RelayServiceBlockingV2Stub> {
    private RelayServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RelayServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RelayServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * GetRelayEndpoint returns an endpoint and its health.
     * </pre>
     */
    public dev.susul.v1.GetRelayEndpointResponse getRelayEndpoint(dev.susul.v1.GetRelayEndpointRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListRelayEndpoints returns an app's endpoints in the order of their names.
     * </pre>
     */
    public dev.susul.v1.ListRelayEndpointsResponse listRelayEndpoints(dev.susul.v1.ListRelayEndpointsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRelayEndpointsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * PauseRelayEndpoint keeps an endpoint of callback_urls from being posted to. Its events wait, as long as the server's
     * `storage.retention`. A subscription has `paused` for this.
     * </pre>
     */
    public dev.susul.v1.PauseRelayEndpointResponse pauseRelayEndpoint(dev.susul.v1.PauseRelayEndpointRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPauseRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ResumeRelayEndpoint has an endpoint that is paused, gone or failing tried at once.
     * </pre>
     */
    public dev.susul.v1.ResumeRelayEndpointResponse resumeRelayEndpoint(dev.susul.v1.ResumeRelayEndpointRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResumeRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * TestRelayEndpoint posts a made-up event, signed like any other, and waits for the answer. Its `susul.test` is true. Neither
     * the endpoint's health nor its order of events is touched; it works on a paused endpoint too.
     * </pre>
     */
    public dev.susul.v1.TestRelayEndpointResponse testRelayEndpoint(dev.susul.v1.TestRelayEndpointRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getTestRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListDeadLetters returns what an endpoint did not get, the longest given up first.
     * </pre>
     */
    public dev.susul.v1.ListDeadLettersResponse listDeadLetters(dev.susul.v1.ListDeadLettersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteDeadLetter forgets that events were given up. They stay stored.
     * </pre>
     */
    public dev.susul.v1.DeleteDeadLetterResponse deleteDeadLetter(dev.susul.v1.DeleteDeadLetterRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteDeadLetterMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ReplayEvents has stored events posted to an endpoint again: a dead letter's, which thereby is one no more; one event; or those of
     * a push or a time span.
     * </pre>
     */
    public dev.susul.v1.ReplayEventsResponse replayEvents(dev.susul.v1.ReplayEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReplayEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListReplays returns the replays that are not done yet, the earliest first.
     * </pre>
     */
    public dev.susul.v1.ListReplaysResponse listReplays(dev.susul.v1.ListReplaysRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListReplaysMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * CancelReplay stops a replay. What it posted is not undone.
     * </pre>
     */
    public dev.susul.v1.CancelReplayResponse cancelReplay(dev.susul.v1.CancelReplayRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelReplayMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service RelayService.
   * <pre>
   * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
   * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
   * </pre>
   */
  public static final class RelayServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<RelayServiceBlockingStub> {
    private RelayServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RelayServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RelayServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * GetRelayEndpoint returns an endpoint and its health.
     * </pre>
     */
    public dev.susul.v1.GetRelayEndpointResponse getRelayEndpoint(dev.susul.v1.GetRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListRelayEndpoints returns an app's endpoints in the order of their names.
     * </pre>
     */
    public dev.susul.v1.ListRelayEndpointsResponse listRelayEndpoints(dev.susul.v1.ListRelayEndpointsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRelayEndpointsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * PauseRelayEndpoint keeps an endpoint of callback_urls from being posted to. Its events wait, as long as the server's
     * `storage.retention`. A subscription has `paused` for this.
     * </pre>
     */
    public dev.susul.v1.PauseRelayEndpointResponse pauseRelayEndpoint(dev.susul.v1.PauseRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPauseRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ResumeRelayEndpoint has an endpoint that is paused, gone or failing tried at once.
     * </pre>
     */
    public dev.susul.v1.ResumeRelayEndpointResponse resumeRelayEndpoint(dev.susul.v1.ResumeRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResumeRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * TestRelayEndpoint posts a made-up event, signed like any other, and waits for the answer. Its `susul.test` is true. Neither
     * the endpoint's health nor its order of events is touched; it works on a paused endpoint too.
     * </pre>
     */
    public dev.susul.v1.TestRelayEndpointResponse testRelayEndpoint(dev.susul.v1.TestRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getTestRelayEndpointMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListDeadLetters returns what an endpoint did not get, the longest given up first.
     * </pre>
     */
    public dev.susul.v1.ListDeadLettersResponse listDeadLetters(dev.susul.v1.ListDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteDeadLetter forgets that events were given up. They stay stored.
     * </pre>
     */
    public dev.susul.v1.DeleteDeadLetterResponse deleteDeadLetter(dev.susul.v1.DeleteDeadLetterRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteDeadLetterMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ReplayEvents has stored events posted to an endpoint again: a dead letter's, which thereby is one no more; one event; or those of
     * a push or a time span.
     * </pre>
     */
    public dev.susul.v1.ReplayEventsResponse replayEvents(dev.susul.v1.ReplayEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReplayEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListReplays returns the replays that are not done yet, the earliest first.
     * </pre>
     */
    public dev.susul.v1.ListReplaysResponse listReplays(dev.susul.v1.ListReplaysRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListReplaysMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * CancelReplay stops a replay. What it posted is not undone.
     * </pre>
     */
    public dev.susul.v1.CancelReplayResponse cancelReplay(dev.susul.v1.CancelReplayRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelReplayMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service RelayService.
   * <pre>
   * RelayService shows and steers how events reach the business: the endpoints of subscriptions and of callback_urls, what was given
   * up, and what is posted again. Credentials are as for PushService. Subscriptions themselves are CallbackService's.
   * </pre>
   */
  public static final class RelayServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<RelayServiceFutureStub> {
    private RelayServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected RelayServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new RelayServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * GetRelayEndpoint returns an endpoint and its health.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetRelayEndpointResponse> getRelayEndpoint(
        dev.susul.v1.GetRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetRelayEndpointMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListRelayEndpoints returns an app's endpoints in the order of their names.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListRelayEndpointsResponse> listRelayEndpoints(
        dev.susul.v1.ListRelayEndpointsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRelayEndpointsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * PauseRelayEndpoint keeps an endpoint of callback_urls from being posted to. Its events wait, as long as the server's
     * `storage.retention`. A subscription has `paused` for this.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.PauseRelayEndpointResponse> pauseRelayEndpoint(
        dev.susul.v1.PauseRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPauseRelayEndpointMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ResumeRelayEndpoint has an endpoint that is paused, gone or failing tried at once.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ResumeRelayEndpointResponse> resumeRelayEndpoint(
        dev.susul.v1.ResumeRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResumeRelayEndpointMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * TestRelayEndpoint posts a made-up event, signed like any other, and waits for the answer. Its `susul.test` is true. Neither
     * the endpoint's health nor its order of events is touched; it works on a paused endpoint too.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.TestRelayEndpointResponse> testRelayEndpoint(
        dev.susul.v1.TestRelayEndpointRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getTestRelayEndpointMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListDeadLetters returns what an endpoint did not get, the longest given up first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListDeadLettersResponse> listDeadLetters(
        dev.susul.v1.ListDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListDeadLettersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * DeleteDeadLetter forgets that events were given up. They stay stored.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.DeleteDeadLetterResponse> deleteDeadLetter(
        dev.susul.v1.DeleteDeadLetterRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteDeadLetterMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ReplayEvents has stored events posted to an endpoint again: a dead letter's, which thereby is one no more; one event; or those of
     * a push or a time span.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ReplayEventsResponse> replayEvents(
        dev.susul.v1.ReplayEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReplayEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListReplays returns the replays that are not done yet, the earliest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListReplaysResponse> listReplays(
        dev.susul.v1.ListReplaysRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListReplaysMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * CancelReplay stops a replay. What it posted is not undone.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.CancelReplayResponse> cancelReplay(
        dev.susul.v1.CancelReplayRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelReplayMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_RELAY_ENDPOINT = 0;
  private static final int METHODID_LIST_RELAY_ENDPOINTS = 1;
  private static final int METHODID_PAUSE_RELAY_ENDPOINT = 2;
  private static final int METHODID_RESUME_RELAY_ENDPOINT = 3;
  private static final int METHODID_TEST_RELAY_ENDPOINT = 4;
  private static final int METHODID_LIST_DEAD_LETTERS = 5;
  private static final int METHODID_DELETE_DEAD_LETTER = 6;
  private static final int METHODID_REPLAY_EVENTS = 7;
  private static final int METHODID_LIST_REPLAYS = 8;
  private static final int METHODID_CANCEL_REPLAY = 9;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_GET_RELAY_ENDPOINT:
          serviceImpl.getRelayEndpoint((dev.susul.v1.GetRelayEndpointRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetRelayEndpointResponse>) responseObserver);
          break;
        case METHODID_LIST_RELAY_ENDPOINTS:
          serviceImpl.listRelayEndpoints((dev.susul.v1.ListRelayEndpointsRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListRelayEndpointsResponse>) responseObserver);
          break;
        case METHODID_PAUSE_RELAY_ENDPOINT:
          serviceImpl.pauseRelayEndpoint((dev.susul.v1.PauseRelayEndpointRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.PauseRelayEndpointResponse>) responseObserver);
          break;
        case METHODID_RESUME_RELAY_ENDPOINT:
          serviceImpl.resumeRelayEndpoint((dev.susul.v1.ResumeRelayEndpointRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ResumeRelayEndpointResponse>) responseObserver);
          break;
        case METHODID_TEST_RELAY_ENDPOINT:
          serviceImpl.testRelayEndpoint((dev.susul.v1.TestRelayEndpointRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.TestRelayEndpointResponse>) responseObserver);
          break;
        case METHODID_LIST_DEAD_LETTERS:
          serviceImpl.listDeadLetters((dev.susul.v1.ListDeadLettersRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListDeadLettersResponse>) responseObserver);
          break;
        case METHODID_DELETE_DEAD_LETTER:
          serviceImpl.deleteDeadLetter((dev.susul.v1.DeleteDeadLetterRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.DeleteDeadLetterResponse>) responseObserver);
          break;
        case METHODID_REPLAY_EVENTS:
          serviceImpl.replayEvents((dev.susul.v1.ReplayEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ReplayEventsResponse>) responseObserver);
          break;
        case METHODID_LIST_REPLAYS:
          serviceImpl.listReplays((dev.susul.v1.ListReplaysRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListReplaysResponse>) responseObserver);
          break;
        case METHODID_CANCEL_REPLAY:
          serviceImpl.cancelReplay((dev.susul.v1.CancelReplayRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.CancelReplayResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getGetRelayEndpointMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetRelayEndpointRequest,
              dev.susul.v1.GetRelayEndpointResponse>(
                service, METHODID_GET_RELAY_ENDPOINT)))
        .addMethod(
          getListRelayEndpointsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListRelayEndpointsRequest,
              dev.susul.v1.ListRelayEndpointsResponse>(
                service, METHODID_LIST_RELAY_ENDPOINTS)))
        .addMethod(
          getPauseRelayEndpointMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.PauseRelayEndpointRequest,
              dev.susul.v1.PauseRelayEndpointResponse>(
                service, METHODID_PAUSE_RELAY_ENDPOINT)))
        .addMethod(
          getResumeRelayEndpointMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ResumeRelayEndpointRequest,
              dev.susul.v1.ResumeRelayEndpointResponse>(
                service, METHODID_RESUME_RELAY_ENDPOINT)))
        .addMethod(
          getTestRelayEndpointMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.TestRelayEndpointRequest,
              dev.susul.v1.TestRelayEndpointResponse>(
                service, METHODID_TEST_RELAY_ENDPOINT)))
        .addMethod(
          getListDeadLettersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListDeadLettersRequest,
              dev.susul.v1.ListDeadLettersResponse>(
                service, METHODID_LIST_DEAD_LETTERS)))
        .addMethod(
          getDeleteDeadLetterMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.DeleteDeadLetterRequest,
              dev.susul.v1.DeleteDeadLetterResponse>(
                service, METHODID_DELETE_DEAD_LETTER)))
        .addMethod(
          getReplayEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ReplayEventsRequest,
              dev.susul.v1.ReplayEventsResponse>(
                service, METHODID_REPLAY_EVENTS)))
        .addMethod(
          getListReplaysMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListReplaysRequest,
              dev.susul.v1.ListReplaysResponse>(
                service, METHODID_LIST_REPLAYS)))
        .addMethod(
          getCancelReplayMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.CancelReplayRequest,
              dev.susul.v1.CancelReplayResponse>(
                service, METHODID_CANCEL_REPLAY)))
        .build();
  }

  private static abstract class RelayServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    RelayServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.susul.v1.RelayServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("RelayService");
    }
  }

  private static final class RelayServiceFileDescriptorSupplier
      extends RelayServiceBaseDescriptorSupplier {
    RelayServiceFileDescriptorSupplier() {}
  }

  private static final class RelayServiceMethodDescriptorSupplier
      extends RelayServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    RelayServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (RelayServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new RelayServiceFileDescriptorSupplier())
              .addMethod(getGetRelayEndpointMethod())
              .addMethod(getListRelayEndpointsMethod())
              .addMethod(getPauseRelayEndpointMethod())
              .addMethod(getResumeRelayEndpointMethod())
              .addMethod(getTestRelayEndpointMethod())
              .addMethod(getListDeadLettersMethod())
              .addMethod(getDeleteDeadLetterMethod())
              .addMethod(getReplayEventsMethod())
              .addMethod(getListReplaysMethod())
              .addMethod(getCancelReplayMethod())
              .build();
        }
      }
    }
    return result;
  }
}
