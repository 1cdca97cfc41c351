package dev.susul.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
 * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class DeviceServiceGrpc {

  private DeviceServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "susul.v1.DeviceService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.SetDevicesRequest,
      dev.susul.v1.SetDevicesResponse> getSetDevicesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SetDevices",
      requestType = dev.susul.v1.SetDevicesRequest.class,
      responseType = dev.susul.v1.SetDevicesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.SetDevicesRequest,
      dev.susul.v1.SetDevicesResponse> getSetDevicesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.SetDevicesRequest, dev.susul.v1.SetDevicesResponse> getSetDevicesMethod;
    if ((getSetDevicesMethod = DeviceServiceGrpc.getSetDevicesMethod) == null) {
      synchronized (DeviceServiceGrpc.class) {
        if ((getSetDevicesMethod = DeviceServiceGrpc.getSetDevicesMethod) == null) {
          DeviceServiceGrpc.getSetDevicesMethod = getSetDevicesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.SetDevicesRequest, dev.susul.v1.SetDevicesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SetDevices"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.SetDevicesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.SetDevicesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DeviceServiceMethodDescriptorSupplier("SetDevices"))
              .build();
        }
      }
    }
    return getSetDevicesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ImportDevicesRequest,
      dev.susul.v1.ImportDevicesResponse> getImportDevicesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ImportDevices",
      requestType = dev.susul.v1.ImportDevicesRequest.class,
      responseType = dev.susul.v1.ImportDevicesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.CLIENT_STREAMING)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ImportDevicesRequest,
      dev.susul.v1.ImportDevicesResponse> getImportDevicesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ImportDevicesRequest, dev.susul.v1.ImportDevicesResponse> getImportDevicesMethod;
    if ((getImportDevicesMethod = DeviceServiceGrpc.getImportDevicesMethod) == null) {
      synchronized (DeviceServiceGrpc.class) {
        if ((getImportDevicesMethod = DeviceServiceGrpc.getImportDevicesMethod) == null) {
          DeviceServiceGrpc.getImportDevicesMethod = getImportDevicesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ImportDevicesRequest, dev.susul.v1.ImportDevicesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.CLIENT_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ImportDevices"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ImportDevicesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ImportDevicesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DeviceServiceMethodDescriptorSupplier("ImportDevices"))
              .build();
        }
      }
    }
    return getImportDevicesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetDeviceRequest,
      dev.susul.v1.GetDeviceResponse> getGetDeviceMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetDevice",
      requestType = dev.susul.v1.GetDeviceRequest.class,
      responseType = dev.susul.v1.GetDeviceResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetDeviceRequest,
      dev.susul.v1.GetDeviceResponse> getGetDeviceMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetDeviceRequest, dev.susul.v1.GetDeviceResponse> getGetDeviceMethod;
    if ((getGetDeviceMethod = DeviceServiceGrpc.getGetDeviceMethod) == null) {
      synchronized (DeviceServiceGrpc.class) {
        if ((getGetDeviceMethod = DeviceServiceGrpc.getGetDeviceMethod) == null) {
          DeviceServiceGrpc.getGetDeviceMethod = getGetDeviceMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetDeviceRequest, dev.susul.v1.GetDeviceResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetDevice"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetDeviceRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetDeviceResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DeviceServiceMethodDescriptorSupplier("GetDevice"))
              .build();
        }
      }
    }
    return getGetDeviceMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.DeleteDeviceRequest,
      dev.susul.v1.DeleteDeviceResponse> getDeleteDeviceMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteDevice",
      requestType = dev.susul.v1.DeleteDeviceRequest.class,
      responseType = dev.susul.v1.DeleteDeviceResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.DeleteDeviceRequest,
      dev.susul.v1.DeleteDeviceResponse> getDeleteDeviceMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.DeleteDeviceRequest, dev.susul.v1.DeleteDeviceResponse> getDeleteDeviceMethod;
    if ((getDeleteDeviceMethod = DeviceServiceGrpc.getDeleteDeviceMethod) == null) {
      synchronized (DeviceServiceGrpc.class) {
        if ((getDeleteDeviceMethod = DeviceServiceGrpc.getDeleteDeviceMethod) == null) {
          DeviceServiceGrpc.getDeleteDeviceMethod = getDeleteDeviceMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.DeleteDeviceRequest, dev.susul.v1.DeleteDeviceResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteDevice"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteDeviceRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteDeviceResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DeviceServiceMethodDescriptorSupplier("DeleteDevice"))
              .build();
        }
      }
    }
    return getDeleteDeviceMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListInvalidDevicesRequest,
      dev.susul.v1.ListInvalidDevicesResponse> getListInvalidDevicesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListInvalidDevices",
      requestType = dev.susul.v1.ListInvalidDevicesRequest.class,
      responseType = dev.susul.v1.ListInvalidDevicesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListInvalidDevicesRequest,
      dev.susul.v1.ListInvalidDevicesResponse> getListInvalidDevicesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListInvalidDevicesRequest, dev.susul.v1.ListInvalidDevicesResponse> getListInvalidDevicesMethod;
    if ((getListInvalidDevicesMethod = DeviceServiceGrpc.getListInvalidDevicesMethod) == null) {
      synchronized (DeviceServiceGrpc.class) {
        if ((getListInvalidDevicesMethod = DeviceServiceGrpc.getListInvalidDevicesMethod) == null) {
          DeviceServiceGrpc.getListInvalidDevicesMethod = getListInvalidDevicesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListInvalidDevicesRequest, dev.susul.v1.ListInvalidDevicesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListInvalidDevices"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListInvalidDevicesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListInvalidDevicesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DeviceServiceMethodDescriptorSupplier("ListInvalidDevices"))
              .build();
        }
      }
    }
    return getListInvalidDevicesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ReviveDevicesRequest,
      dev.susul.v1.ReviveDevicesResponse> getReviveDevicesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ReviveDevices",
      requestType = dev.susul.v1.ReviveDevicesRequest.class,
      responseType = dev.susul.v1.ReviveDevicesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ReviveDevicesRequest,
      dev.susul.v1.ReviveDevicesResponse> getReviveDevicesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ReviveDevicesRequest, dev.susul.v1.ReviveDevicesResponse> getReviveDevicesMethod;
    if ((getReviveDevicesMethod = DeviceServiceGrpc.getReviveDevicesMethod) == null) {
      synchronized (DeviceServiceGrpc.class) {
        if ((getReviveDevicesMethod = DeviceServiceGrpc.getReviveDevicesMethod) == null) {
          DeviceServiceGrpc.getReviveDevicesMethod = getReviveDevicesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ReviveDevicesRequest, dev.susul.v1.ReviveDevicesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ReviveDevices"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ReviveDevicesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ReviveDevicesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DeviceServiceMethodDescriptorSupplier("ReviveDevices"))
              .build();
        }
      }
    }
    return getReviveDevicesMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static DeviceServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DeviceServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DeviceServiceStub>() {
        @java.lang.Override
        public DeviceServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DeviceServiceStub(channel, callOptions);
        }
      };
    return DeviceServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static DeviceServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DeviceServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DeviceServiceBlockingV2Stub>() {
        @java.lang.Override
        public DeviceServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DeviceServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return DeviceServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static DeviceServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DeviceServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DeviceServiceBlockingStub>() {
        @java.lang.Override
        public DeviceServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DeviceServiceBlockingStub(channel, callOptions);
        }
      };
    return DeviceServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static DeviceServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DeviceServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DeviceServiceFutureStub>() {
        @java.lang.Override
        public DeviceServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DeviceServiceFutureStub(channel, callOptions);
        }
      };
    return DeviceServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
   * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * SetDevices stores attributes, time zones and locales of up to 10,000 devices, all or nothing.
     * </pre>
     */
    default void setDevices(dev.susul.v1.SetDevicesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.SetDevicesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSetDevicesMethod(), responseObserver);
    }

    /**
     * <pre>
     * ImportDevices does what SetDevices does, for any number of devices. Each message of the stream is stored by itself before
     * the next is read; a stream that breaks off can be repeated from its beginning.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<dev.susul.v1.ImportDevicesRequest> importDevices(
        io.grpc.stub.StreamObserver<dev.susul.v1.ImportDevicesResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getImportDevicesMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetDevice returns one device, NOT_FOUND if nothing is known of it.
     * </pre>
     */
    default void getDevice(dev.susul.v1.GetDeviceRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetDeviceResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetDeviceMethod(), responseObserver);
    }

    /**
     * <pre>
     * DeleteDevice forgets what is known of a device, its invalidity included. The device itself stays at EngageLab.
     * </pre>
     */
    default void deleteDevice(dev.susul.v1.DeleteDeviceRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteDeviceResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteDeviceMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListInvalidDevices returns the devices that get nothing any more, in the order of their registration ids: page by page, a
     * complete export.
     * </pre>
     */
    default void listInvalidDevices(dev.susul.v1.ListInvalidDevicesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListInvalidDevicesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListInvalidDevicesMethod(), responseObserver);
    }

    /**
     * <pre>
     * ReviveDevices lets devices get pushes again, for example after an app was installed anew. Devices that are not invalid stay
     * as they are. A device that reports life revives by itself.
     * </pre>
     */
    default void reviveDevices(dev.susul.v1.ReviveDevicesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ReviveDevicesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReviveDevicesMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service DeviceService.
   * <pre>
   * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
   * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
   * </pre>
   */
  public static abstract class DeviceServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return DeviceServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service DeviceService.
   * <pre>
   * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
   * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
   * </pre>
   */
  public static final class DeviceServiceStub
      extends io.grpc.stub.AbstractAsyncStub<DeviceServiceStub> {
    private DeviceServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DeviceServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DeviceServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * SetDevices stores attributes, time zones and locales of up to 10,000 devices, all or nothing.
     * </pre>
     */
    public void setDevices(dev.susul.v1.SetDevicesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.SetDevicesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSetDevicesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ImportDevices does what SetDevices does, for any number of devices. Each message of the stream is stored by itself before
     * the next is read; a stream that breaks off can be repeated from its beginning.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<dev.susul.v1.ImportDevicesRequest> importDevices(
        io.grpc.stub.StreamObserver<dev.susul.v1.ImportDevicesResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncClientStreamingCall(
          getChannel().newCall(getImportDevicesMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * GetDevice returns one device, NOT_FOUND if nothing is known of it.
     * </pre>
     */
    public void getDevice(dev.susul.v1.GetDeviceRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetDeviceResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetDeviceMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * DeleteDevice forgets what is known of a device, its invalidity included. The device itself stays at EngageLab.
     * </pre>
     */
    public void deleteDevice(dev.susul.v1.DeleteDeviceRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteDeviceResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteDeviceMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListInvalidDevices returns the devices that get nothing any more, in the order of their registration ids: page by page, a
     * complete export.
     * </pre>
     */
    public void listInvalidDevices(dev.susul.v1.ListInvalidDevicesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListInvalidDevicesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListInvalidDevicesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ReviveDevices lets devices get pushes again, for example after an app was installed anew. Devices that are not invalid stay
     * as they are. A device that reports life revives by itself.
     * </pre>
     */
    public void reviveDevices(dev.susul.v1.ReviveDevicesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ReviveDevicesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReviveDevicesMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service DeviceService.
   * <pre>
   * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
   * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
   * </pre>
   */
  public static final class DeviceServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<DeviceServiceBlockingV2Stub> {
    private DeviceServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DeviceServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DeviceServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * SetDevices stores attributes, time zones and locales of up to 10,000 devices, all or nothing.
     * </pre>
     */
    public dev.susul.v1.SetDevicesResponse setDevices(dev.susul.v1.SetDevicesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSetDevicesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ImportDevices does what SetDevices does, for any number of devices. Each message of the stream is stored by itself before
     * the next is read; a stream that breaks off can be repeated from its beginning.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<dev.susul.v1.ImportDevicesRequest, dev.susul.v1.ImportDevicesResponse>
        importDevices() {
      return io.grpc.stub.ClientCalls.blockingClientStreamingCall(
          getChannel(), getImportDevicesMethod(), getCallOptions());
    }

    /**
     * <pre>
     * GetDevice returns one device, NOT_FOUND if nothing is known of it.
     * </pre>
     */
    public dev.susul.v1.GetDeviceResponse getDevice(dev.susul.v1.GetDeviceRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetDeviceMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteDevice forgets what is known of a device, its invalidity included. The device itself stays at EngageLab.
     * </pre>
     */
    public dev.susul.v1.DeleteDeviceResponse deleteDevice(dev.susul.v1.DeleteDeviceRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteDeviceMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListInvalidDevices returns the devices that get nothing any more, in the order of their registration ids: page by page, a
     * complete export.
     * </pre>
     */
    public dev.susul.v1.ListInvalidDevicesResponse listInvalidDevices(dev.susul.v1.ListInvalidDevicesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListInvalidDevicesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ReviveDevices lets devices get pushes again, for example after an app was installed anew. Devices that are not invalid stay
     * as they are. A device that reports life revives by itself.
     * </pre>
     */
    public dev.susul.v1.ReviveDevicesResponse reviveDevices(dev.susul.v1.ReviveDevicesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReviveDevicesMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service DeviceService.
   * <pre>
   * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
   * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
   * </pre>
   */
  public static final class DeviceServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<DeviceServiceBlockingStub> {
    private DeviceServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DeviceServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DeviceServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * SetDevices stores attributes, time zones and locales of up to 10,000 devices, all or nothing.
     * </pre>
     */
    public dev.susul.v1.SetDevicesResponse setDevices(dev.susul.v1.SetDevicesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSetDevicesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetDevice returns one device, NOT_FOUND if nothing is known of it.
     * </pre>
     */
    public dev.susul.v1.GetDeviceResponse getDevice(dev.susul.v1.GetDeviceRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetDeviceMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteDevice forgets what is known of a device, its invalidity included. The device itself stays at EngageLab.
     * </pre>
     */
    public dev.susul.v1.DeleteDeviceResponse deleteDevice(dev.susul.v1.DeleteDeviceRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteDeviceMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListInvalidDevices returns the devices that get nothing any more, in the order of their registration ids: page by page, a
     * complete export.
     * </pre>
     */
    public dev.susul.v1.ListInvalidDevicesResponse listInvalidDevices(dev.susul.v1.ListInvalidDevicesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListInvalidDevicesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ReviveDevices lets devices get pushes again, for example after an app was installed anew. Devices that are not invalid stay
     * as they are. A device that reports life revives by itself.
     * </pre>
     */
    public dev.susul.v1.ReviveDevicesResponse reviveDevices(dev.susul.v1.ReviveDevicesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReviveDevicesMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service DeviceService.
   * <pre>
   * DeviceService keeps what is known of an app's devices: what templates and conditions of resend policies can use, and which
   * devices are gone. Devices need not be known to get pushes. Credentials are as for PushService.
   * </pre>
   */
  public static final class DeviceServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<DeviceServiceFutureStub> {
    private DeviceServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DeviceServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DeviceServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * SetDevices stores attributes, time zones and locales of up to 10,000 devices, all or nothing.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.SetDevicesResponse> setDevices(
        dev.susul.v1.SetDevicesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSetDevicesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetDevice returns one device, NOT_FOUND if nothing is known of it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetDeviceResponse> getDevice(
        dev.susul.v1.GetDeviceRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetDeviceMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * DeleteDevice forgets what is known of a device, its invalidity included. The device itself stays at EngageLab.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.DeleteDeviceResponse> deleteDevice(
        dev.susul.v1.DeleteDeviceRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteDeviceMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListInvalidDevices returns the devices that get nothing any more, in the order of their registration ids: page by page, a
     * complete export.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListInvalidDevicesResponse> listInvalidDevices(
        dev.susul.v1.ListInvalidDevicesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListInvalidDevicesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ReviveDevices lets devices get pushes again, for example after an app was installed anew. Devices that are not invalid stay
     * as they are. A device that reports life revives by itself.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ReviveDevicesResponse> reviveDevices(
        dev.susul.v1.ReviveDevicesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReviveDevicesMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_SET_DEVICES = 0;
  private static final int METHODID_GET_DEVICE = 1;
  private static final int METHODID_DELETE_DEVICE = 2;
  private static final int METHODID_LIST_INVALID_DEVICES = 3;
  private static final int METHODID_REVIVE_DEVICES = 4;
  private static final int METHODID_IMPORT_DEVICES = 5;

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
        case METHODID_SET_DEVICES:
          serviceImpl.setDevices((dev.susul.v1.SetDevicesRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.SetDevicesResponse>) responseObserver);
          break;
        case METHODID_GET_DEVICE:
          serviceImpl.getDevice((dev.susul.v1.GetDeviceRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetDeviceResponse>) responseObserver);
          break;
        case METHODID_DELETE_DEVICE:
          serviceImpl.deleteDevice((dev.susul.v1.DeleteDeviceRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.DeleteDeviceResponse>) responseObserver);
          break;
        case METHODID_LIST_INVALID_DEVICES:
          serviceImpl.listInvalidDevices((dev.susul.v1.ListInvalidDevicesRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListInvalidDevicesResponse>) responseObserver);
          break;
        case METHODID_REVIVE_DEVICES:
          serviceImpl.reviveDevices((dev.susul.v1.ReviveDevicesRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ReviveDevicesResponse>) responseObserver);
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
        case METHODID_IMPORT_DEVICES:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.importDevices(
              (io.grpc.stub.StreamObserver<dev.susul.v1.ImportDevicesResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getSetDevicesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.SetDevicesRequest,
              dev.susul.v1.SetDevicesResponse>(
                service, METHODID_SET_DEVICES)))
        .addMethod(
          getImportDevicesMethod(),
          io.grpc.stub.ServerCalls.asyncClientStreamingCall(
            new MethodHandlers<
              dev.susul.v1.ImportDevicesRequest,
              dev.susul.v1.ImportDevicesResponse>(
                service, METHODID_IMPORT_DEVICES)))
        .addMethod(
          getGetDeviceMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetDeviceRequest,
              dev.susul.v1.GetDeviceResponse>(
                service, METHODID_GET_DEVICE)))
        .addMethod(
          getDeleteDeviceMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.DeleteDeviceRequest,
              dev.susul.v1.DeleteDeviceResponse>(
                service, METHODID_DELETE_DEVICE)))
        .addMethod(
          getListInvalidDevicesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListInvalidDevicesRequest,
              dev.susul.v1.ListInvalidDevicesResponse>(
                service, METHODID_LIST_INVALID_DEVICES)))
        .addMethod(
          getReviveDevicesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ReviveDevicesRequest,
              dev.susul.v1.ReviveDevicesResponse>(
                service, METHODID_REVIVE_DEVICES)))
        .build();
  }

  private static abstract class DeviceServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    DeviceServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.susul.v1.DeviceServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("DeviceService");
    }
  }

  private static final class DeviceServiceFileDescriptorSupplier
      extends DeviceServiceBaseDescriptorSupplier {
    DeviceServiceFileDescriptorSupplier() {}
  }

  private static final class DeviceServiceMethodDescriptorSupplier
      extends DeviceServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    DeviceServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (DeviceServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new DeviceServiceFileDescriptorSupplier())
              .addMethod(getSetDevicesMethod())
              .addMethod(getImportDevicesMethod())
              .addMethod(getGetDeviceMethod())
              .addMethod(getDeleteDeviceMethod())
              .addMethod(getListInvalidDevicesMethod())
              .addMethod(getReviveDevicesMethod())
              .build();
        }
      }
    }
    return result;
  }
}
