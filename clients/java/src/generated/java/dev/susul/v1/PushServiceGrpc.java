package dev.susul.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
 * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class PushServiceGrpc {

  private PushServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "susul.v1.PushService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.CreatePushRequest,
      dev.susul.v1.CreatePushResponse> getCreatePushMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreatePush",
      requestType = dev.susul.v1.CreatePushRequest.class,
      responseType = dev.susul.v1.CreatePushResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.CreatePushRequest,
      dev.susul.v1.CreatePushResponse> getCreatePushMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.CreatePushRequest, dev.susul.v1.CreatePushResponse> getCreatePushMethod;
    if ((getCreatePushMethod = PushServiceGrpc.getCreatePushMethod) == null) {
      synchronized (PushServiceGrpc.class) {
        if ((getCreatePushMethod = PushServiceGrpc.getCreatePushMethod) == null) {
          PushServiceGrpc.getCreatePushMethod = getCreatePushMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.CreatePushRequest, dev.susul.v1.CreatePushResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreatePush"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CreatePushRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CreatePushResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PushServiceMethodDescriptorSupplier("CreatePush"))
              .build();
        }
      }
    }
    return getCreatePushMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ValidatePushRequest,
      dev.susul.v1.ValidatePushResponse> getValidatePushMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ValidatePush",
      requestType = dev.susul.v1.ValidatePushRequest.class,
      responseType = dev.susul.v1.ValidatePushResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ValidatePushRequest,
      dev.susul.v1.ValidatePushResponse> getValidatePushMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ValidatePushRequest, dev.susul.v1.ValidatePushResponse> getValidatePushMethod;
    if ((getValidatePushMethod = PushServiceGrpc.getValidatePushMethod) == null) {
      synchronized (PushServiceGrpc.class) {
        if ((getValidatePushMethod = PushServiceGrpc.getValidatePushMethod) == null) {
          PushServiceGrpc.getValidatePushMethod = getValidatePushMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ValidatePushRequest, dev.susul.v1.ValidatePushResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ValidatePush"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ValidatePushRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ValidatePushResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PushServiceMethodDescriptorSupplier("ValidatePush"))
              .build();
        }
      }
    }
    return getValidatePushMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.WithdrawPushRequest,
      dev.susul.v1.WithdrawPushResponse> getWithdrawPushMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WithdrawPush",
      requestType = dev.susul.v1.WithdrawPushRequest.class,
      responseType = dev.susul.v1.WithdrawPushResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.WithdrawPushRequest,
      dev.susul.v1.WithdrawPushResponse> getWithdrawPushMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.WithdrawPushRequest, dev.susul.v1.WithdrawPushResponse> getWithdrawPushMethod;
    if ((getWithdrawPushMethod = PushServiceGrpc.getWithdrawPushMethod) == null) {
      synchronized (PushServiceGrpc.class) {
        if ((getWithdrawPushMethod = PushServiceGrpc.getWithdrawPushMethod) == null) {
          PushServiceGrpc.getWithdrawPushMethod = getWithdrawPushMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.WithdrawPushRequest, dev.susul.v1.WithdrawPushResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WithdrawPush"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.WithdrawPushRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.WithdrawPushResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PushServiceMethodDescriptorSupplier("WithdrawPush"))
              .build();
        }
      }
    }
    return getWithdrawPushMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetPushRequest,
      dev.susul.v1.GetPushResponse> getGetPushMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetPush",
      requestType = dev.susul.v1.GetPushRequest.class,
      responseType = dev.susul.v1.GetPushResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetPushRequest,
      dev.susul.v1.GetPushResponse> getGetPushMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetPushRequest, dev.susul.v1.GetPushResponse> getGetPushMethod;
    if ((getGetPushMethod = PushServiceGrpc.getGetPushMethod) == null) {
      synchronized (PushServiceGrpc.class) {
        if ((getGetPushMethod = PushServiceGrpc.getGetPushMethod) == null) {
          PushServiceGrpc.getGetPushMethod = getGetPushMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetPushRequest, dev.susul.v1.GetPushResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetPush"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetPushRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetPushResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PushServiceMethodDescriptorSupplier("GetPush"))
              .build();
        }
      }
    }
    return getGetPushMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListPushesRequest,
      dev.susul.v1.ListPushesResponse> getListPushesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListPushes",
      requestType = dev.susul.v1.ListPushesRequest.class,
      responseType = dev.susul.v1.ListPushesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListPushesRequest,
      dev.susul.v1.ListPushesResponse> getListPushesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListPushesRequest, dev.susul.v1.ListPushesResponse> getListPushesMethod;
    if ((getListPushesMethod = PushServiceGrpc.getListPushesMethod) == null) {
      synchronized (PushServiceGrpc.class) {
        if ((getListPushesMethod = PushServiceGrpc.getListPushesMethod) == null) {
          PushServiceGrpc.getListPushesMethod = getListPushesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListPushesRequest, dev.susul.v1.ListPushesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListPushes"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListPushesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListPushesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PushServiceMethodDescriptorSupplier("ListPushes"))
              .build();
        }
      }
    }
    return getListPushesMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static PushServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PushServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PushServiceStub>() {
        @java.lang.Override
        public PushServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PushServiceStub(channel, callOptions);
        }
      };
    return PushServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static PushServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PushServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PushServiceBlockingV2Stub>() {
        @java.lang.Override
        public PushServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PushServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return PushServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static PushServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PushServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PushServiceBlockingStub>() {
        @java.lang.Override
        public PushServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PushServiceBlockingStub(channel, callOptions);
        }
      };
    return PushServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static PushServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PushServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PushServiceFutureStub>() {
        @java.lang.Override
        public PushServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PushServiceFutureStub(channel, callOptions);
        }
      };
    return PushServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
   * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * CreatePush stores a push durably and sends it. It waits a moment for EngageLab's answer to the first request: a
     * permanent refusal comes back as ENGAGELAB_REFUSED and nothing was sent. If EngageLab is slow, over quota or down,
     * the push is accepted, stays queued and is retried until its time to live ends.
     * A repeated call with the same request_id and content returns the first push and sends nothing.
     * </pre>
     */
    default void createPush(dev.susul.v1.CreatePushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CreatePushResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreatePushMethod(), responseObserver);
    }

    /**
     * <pre>
     * ValidatePush lets EngageLab check a push. Nothing is stored or sent.
     * </pre>
     */
    default void validatePush(dev.susul.v1.ValidatePushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ValidatePushResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getValidatePushMethod(), responseObserver);
    }

    /**
     * <pre>
     * WithdrawPush cancels what is still to come of a push, follow-ups included, and asks EngageLab to take back what
     * devices have not received. It may be repeated while the push is WITHDRAWING; a push that is withdrawn already gets
     * WRONG_STATE. If EngageLab refuses (ENGAGELAB_REFUSED), for example because a message is older than a day, the push is
     * withdrawn all the same as far as Susul goes: nothing more is sent.
     * </pre>
     */
    default void withdrawPush(dev.susul.v1.WithdrawPushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.WithdrawPushResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWithdrawPushMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetPush returns one push.
     * </pre>
     */
    default void getPush(dev.susul.v1.GetPushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetPushResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetPushMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListPushes returns an app's pushes, newest first, without their documents.
     * </pre>
     */
    default void listPushes(dev.susul.v1.ListPushesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListPushesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListPushesMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service PushService.
   * <pre>
   * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
   * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
   * </pre>
   */
  public static abstract class PushServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return PushServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service PushService.
   * <pre>
   * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
   * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
   * </pre>
   */
  public static final class PushServiceStub
      extends io.grpc.stub.AbstractAsyncStub<PushServiceStub> {
    private PushServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PushServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PushServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * CreatePush stores a push durably and sends it. It waits a moment for EngageLab's answer to the first request: a
     * permanent refusal comes back as ENGAGELAB_REFUSED and nothing was sent. If EngageLab is slow, over quota or down,
     * the push is accepted, stays queued and is retried until its time to live ends.
     * A repeated call with the same request_id and content returns the first push and sends nothing.
     * </pre>
     */
    public void createPush(dev.susul.v1.CreatePushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CreatePushResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreatePushMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ValidatePush lets EngageLab check a push. Nothing is stored or sent.
     * </pre>
     */
    public void validatePush(dev.susul.v1.ValidatePushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ValidatePushResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getValidatePushMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * WithdrawPush cancels what is still to come of a push, follow-ups included, and asks EngageLab to take back what
     * devices have not received. It may be repeated while the push is WITHDRAWING; a push that is withdrawn already gets
     * WRONG_STATE. If EngageLab refuses (ENGAGELAB_REFUSED), for example because a message is older than a day, the push is
     * withdrawn all the same as far as Susul goes: nothing more is sent.
     * </pre>
     */
    public void withdrawPush(dev.susul.v1.WithdrawPushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.WithdrawPushResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWithdrawPushMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetPush returns one push.
     * </pre>
     */
    public void getPush(dev.susul.v1.GetPushRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetPushResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetPushMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListPushes returns an app's pushes, newest first, without their documents.
     * </pre>
     */
    public void listPushes(dev.susul.v1.ListPushesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListPushesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListPushesMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service PushService.
   * <pre>
   * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
   * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
   * </pre>
   */
  public static final class PushServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<PushServiceBlockingV2Stub> {
    private PushServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PushServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PushServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * CreatePush stores a push durably and sends it. It waits a moment for EngageLab's answer to the first request: a
     * permanent refusal comes back as ENGAGELAB_REFUSED and nothing was sent. If EngageLab is slow, over quota or down,
     * the push is accepted, stays queued and is retried until its time to live ends.
     * A repeated call with the same request_id and content returns the first push and sends nothing.
     * </pre>
     */
    public dev.susul.v1.CreatePushResponse createPush(dev.susul.v1.CreatePushRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreatePushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ValidatePush lets EngageLab check a push. Nothing is stored or sent.
     * </pre>
     */
    public dev.susul.v1.ValidatePushResponse validatePush(dev.susul.v1.ValidatePushRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getValidatePushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * WithdrawPush cancels what is still to come of a push, follow-ups included, and asks EngageLab to take back what
     * devices have not received. It may be repeated while the push is WITHDRAWING; a push that is withdrawn already gets
     * WRONG_STATE. If EngageLab refuses (ENGAGELAB_REFUSED), for example because a message is older than a day, the push is
     * withdrawn all the same as far as Susul goes: nothing more is sent.
     * </pre>
     */
    public dev.susul.v1.WithdrawPushResponse withdrawPush(dev.susul.v1.WithdrawPushRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWithdrawPushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetPush returns one push.
     * </pre>
     */
    public dev.susul.v1.GetPushResponse getPush(dev.susul.v1.GetPushRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetPushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListPushes returns an app's pushes, newest first, without their documents.
     * </pre>
     */
    public dev.susul.v1.ListPushesResponse listPushes(dev.susul.v1.ListPushesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListPushesMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service PushService.
   * <pre>
   * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
   * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
   * </pre>
   */
  public static final class PushServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<PushServiceBlockingStub> {
    private PushServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PushServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PushServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * CreatePush stores a push durably and sends it. It waits a moment for EngageLab's answer to the first request: a
     * permanent refusal comes back as ENGAGELAB_REFUSED and nothing was sent. If EngageLab is slow, over quota or down,
     * the push is accepted, stays queued and is retried until its time to live ends.
     * A repeated call with the same request_id and content returns the first push and sends nothing.
     * </pre>
     */
    public dev.susul.v1.CreatePushResponse createPush(dev.susul.v1.CreatePushRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreatePushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ValidatePush lets EngageLab check a push. Nothing is stored or sent.
     * </pre>
     */
    public dev.susul.v1.ValidatePushResponse validatePush(dev.susul.v1.ValidatePushRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getValidatePushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * WithdrawPush cancels what is still to come of a push, follow-ups included, and asks EngageLab to take back what
     * devices have not received. It may be repeated while the push is WITHDRAWING; a push that is withdrawn already gets
     * WRONG_STATE. If EngageLab refuses (ENGAGELAB_REFUSED), for example because a message is older than a day, the push is
     * withdrawn all the same as far as Susul goes: nothing more is sent.
     * </pre>
     */
    public dev.susul.v1.WithdrawPushResponse withdrawPush(dev.susul.v1.WithdrawPushRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWithdrawPushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetPush returns one push.
     * </pre>
     */
    public dev.susul.v1.GetPushResponse getPush(dev.susul.v1.GetPushRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetPushMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListPushes returns an app's pushes, newest first, without their documents.
     * </pre>
     */
    public dev.susul.v1.ListPushesResponse listPushes(dev.susul.v1.ListPushesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListPushesMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service PushService.
   * <pre>
   * PushService sends pushes through EngageLab and shows them. Callers need an app's credentials (`Basic
   * appKey:masterSecret`) and see that app only, or an admin's token (`Bearer …`).
   * </pre>
   */
  public static final class PushServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<PushServiceFutureStub> {
    private PushServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PushServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PushServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * CreatePush stores a push durably and sends it. It waits a moment for EngageLab's answer to the first request: a
     * permanent refusal comes back as ENGAGELAB_REFUSED and nothing was sent. If EngageLab is slow, over quota or down,
     * the push is accepted, stays queued and is retried until its time to live ends.
     * A repeated call with the same request_id and content returns the first push and sends nothing.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.CreatePushResponse> createPush(
        dev.susul.v1.CreatePushRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreatePushMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ValidatePush lets EngageLab check a push. Nothing is stored or sent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ValidatePushResponse> validatePush(
        dev.susul.v1.ValidatePushRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getValidatePushMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * WithdrawPush cancels what is still to come of a push, follow-ups included, and asks EngageLab to take back what
     * devices have not received. It may be repeated while the push is WITHDRAWING; a push that is withdrawn already gets
     * WRONG_STATE. If EngageLab refuses (ENGAGELAB_REFUSED), for example because a message is older than a day, the push is
     * withdrawn all the same as far as Susul goes: nothing more is sent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.WithdrawPushResponse> withdrawPush(
        dev.susul.v1.WithdrawPushRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWithdrawPushMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetPush returns one push.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetPushResponse> getPush(
        dev.susul.v1.GetPushRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetPushMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListPushes returns an app's pushes, newest first, without their documents.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListPushesResponse> listPushes(
        dev.susul.v1.ListPushesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListPushesMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CREATE_PUSH = 0;
  private static final int METHODID_VALIDATE_PUSH = 1;
  private static final int METHODID_WITHDRAW_PUSH = 2;
  private static final int METHODID_GET_PUSH = 3;
  private static final int METHODID_LIST_PUSHES = 4;

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
        case METHODID_CREATE_PUSH:
          serviceImpl.createPush((dev.susul.v1.CreatePushRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.CreatePushResponse>) responseObserver);
          break;
        case METHODID_VALIDATE_PUSH:
          serviceImpl.validatePush((dev.susul.v1.ValidatePushRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ValidatePushResponse>) responseObserver);
          break;
        case METHODID_WITHDRAW_PUSH:
          serviceImpl.withdrawPush((dev.susul.v1.WithdrawPushRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.WithdrawPushResponse>) responseObserver);
          break;
        case METHODID_GET_PUSH:
          serviceImpl.getPush((dev.susul.v1.GetPushRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetPushResponse>) responseObserver);
          break;
        case METHODID_LIST_PUSHES:
          serviceImpl.listPushes((dev.susul.v1.ListPushesRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListPushesResponse>) responseObserver);
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
          getCreatePushMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.CreatePushRequest,
              dev.susul.v1.CreatePushResponse>(
                service, METHODID_CREATE_PUSH)))
        .addMethod(
          getValidatePushMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ValidatePushRequest,
              dev.susul.v1.ValidatePushResponse>(
                service, METHODID_VALIDATE_PUSH)))
        .addMethod(
          getWithdrawPushMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.WithdrawPushRequest,
              dev.susul.v1.WithdrawPushResponse>(
                service, METHODID_WITHDRAW_PUSH)))
        .addMethod(
          getGetPushMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetPushRequest,
              dev.susul.v1.GetPushResponse>(
                service, METHODID_GET_PUSH)))
        .addMethod(
          getListPushesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListPushesRequest,
              dev.susul.v1.ListPushesResponse>(
                service, METHODID_LIST_PUSHES)))
        .build();
  }

  private static abstract class PushServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    PushServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.susul.v1.PushServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("PushService");
    }
  }

  private static final class PushServiceFileDescriptorSupplier
      extends PushServiceBaseDescriptorSupplier {
    PushServiceFileDescriptorSupplier() {}
  }

  private static final class PushServiceMethodDescriptorSupplier
      extends PushServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    PushServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (PushServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new PushServiceFileDescriptorSupplier())
              .addMethod(getCreatePushMethod())
              .addMethod(getValidatePushMethod())
              .addMethod(getWithdrawPushMethod())
              .addMethod(getGetPushMethod())
              .addMethod(getListPushesMethod())
              .build();
        }
      }
    }
    return result;
  }
}
