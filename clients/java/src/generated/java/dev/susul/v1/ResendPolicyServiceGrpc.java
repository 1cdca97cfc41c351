package dev.susul.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
 * node within a second.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ResendPolicyServiceGrpc {

  private ResendPolicyServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "susul.v1.ResendPolicyService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.CreateResendPolicyRequest,
      dev.susul.v1.CreateResendPolicyResponse> getCreateResendPolicyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateResendPolicy",
      requestType = dev.susul.v1.CreateResendPolicyRequest.class,
      responseType = dev.susul.v1.CreateResendPolicyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.CreateResendPolicyRequest,
      dev.susul.v1.CreateResendPolicyResponse> getCreateResendPolicyMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.CreateResendPolicyRequest, dev.susul.v1.CreateResendPolicyResponse> getCreateResendPolicyMethod;
    if ((getCreateResendPolicyMethod = ResendPolicyServiceGrpc.getCreateResendPolicyMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getCreateResendPolicyMethod = ResendPolicyServiceGrpc.getCreateResendPolicyMethod) == null) {
          ResendPolicyServiceGrpc.getCreateResendPolicyMethod = getCreateResendPolicyMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.CreateResendPolicyRequest, dev.susul.v1.CreateResendPolicyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateResendPolicy"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CreateResendPolicyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CreateResendPolicyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("CreateResendPolicy"))
              .build();
        }
      }
    }
    return getCreateResendPolicyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetResendPolicyRequest,
      dev.susul.v1.GetResendPolicyResponse> getGetResendPolicyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetResendPolicy",
      requestType = dev.susul.v1.GetResendPolicyRequest.class,
      responseType = dev.susul.v1.GetResendPolicyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetResendPolicyRequest,
      dev.susul.v1.GetResendPolicyResponse> getGetResendPolicyMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetResendPolicyRequest, dev.susul.v1.GetResendPolicyResponse> getGetResendPolicyMethod;
    if ((getGetResendPolicyMethod = ResendPolicyServiceGrpc.getGetResendPolicyMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getGetResendPolicyMethod = ResendPolicyServiceGrpc.getGetResendPolicyMethod) == null) {
          ResendPolicyServiceGrpc.getGetResendPolicyMethod = getGetResendPolicyMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetResendPolicyRequest, dev.susul.v1.GetResendPolicyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetResendPolicy"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetResendPolicyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetResendPolicyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("GetResendPolicy"))
              .build();
        }
      }
    }
    return getGetResendPolicyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListResendPoliciesRequest,
      dev.susul.v1.ListResendPoliciesResponse> getListResendPoliciesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListResendPolicies",
      requestType = dev.susul.v1.ListResendPoliciesRequest.class,
      responseType = dev.susul.v1.ListResendPoliciesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListResendPoliciesRequest,
      dev.susul.v1.ListResendPoliciesResponse> getListResendPoliciesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListResendPoliciesRequest, dev.susul.v1.ListResendPoliciesResponse> getListResendPoliciesMethod;
    if ((getListResendPoliciesMethod = ResendPolicyServiceGrpc.getListResendPoliciesMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getListResendPoliciesMethod = ResendPolicyServiceGrpc.getListResendPoliciesMethod) == null) {
          ResendPolicyServiceGrpc.getListResendPoliciesMethod = getListResendPoliciesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListResendPoliciesRequest, dev.susul.v1.ListResendPoliciesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListResendPolicies"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListResendPoliciesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListResendPoliciesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("ListResendPolicies"))
              .build();
        }
      }
    }
    return getListResendPoliciesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.UpdateResendPolicyRequest,
      dev.susul.v1.UpdateResendPolicyResponse> getUpdateResendPolicyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "UpdateResendPolicy",
      requestType = dev.susul.v1.UpdateResendPolicyRequest.class,
      responseType = dev.susul.v1.UpdateResendPolicyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.UpdateResendPolicyRequest,
      dev.susul.v1.UpdateResendPolicyResponse> getUpdateResendPolicyMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.UpdateResendPolicyRequest, dev.susul.v1.UpdateResendPolicyResponse> getUpdateResendPolicyMethod;
    if ((getUpdateResendPolicyMethod = ResendPolicyServiceGrpc.getUpdateResendPolicyMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getUpdateResendPolicyMethod = ResendPolicyServiceGrpc.getUpdateResendPolicyMethod) == null) {
          ResendPolicyServiceGrpc.getUpdateResendPolicyMethod = getUpdateResendPolicyMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.UpdateResendPolicyRequest, dev.susul.v1.UpdateResendPolicyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "UpdateResendPolicy"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.UpdateResendPolicyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.UpdateResendPolicyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("UpdateResendPolicy"))
              .build();
        }
      }
    }
    return getUpdateResendPolicyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.DeleteResendPolicyRequest,
      dev.susul.v1.DeleteResendPolicyResponse> getDeleteResendPolicyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteResendPolicy",
      requestType = dev.susul.v1.DeleteResendPolicyRequest.class,
      responseType = dev.susul.v1.DeleteResendPolicyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.DeleteResendPolicyRequest,
      dev.susul.v1.DeleteResendPolicyResponse> getDeleteResendPolicyMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.DeleteResendPolicyRequest, dev.susul.v1.DeleteResendPolicyResponse> getDeleteResendPolicyMethod;
    if ((getDeleteResendPolicyMethod = ResendPolicyServiceGrpc.getDeleteResendPolicyMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getDeleteResendPolicyMethod = ResendPolicyServiceGrpc.getDeleteResendPolicyMethod) == null) {
          ResendPolicyServiceGrpc.getDeleteResendPolicyMethod = getDeleteResendPolicyMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.DeleteResendPolicyRequest, dev.susul.v1.DeleteResendPolicyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteResendPolicy"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteResendPolicyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteResendPolicyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("DeleteResendPolicy"))
              .build();
        }
      }
    }
    return getDeleteResendPolicyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.WatchResendPoliciesRequest,
      dev.susul.v1.WatchResendPoliciesResponse> getWatchResendPoliciesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchResendPolicies",
      requestType = dev.susul.v1.WatchResendPoliciesRequest.class,
      responseType = dev.susul.v1.WatchResendPoliciesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.susul.v1.WatchResendPoliciesRequest,
      dev.susul.v1.WatchResendPoliciesResponse> getWatchResendPoliciesMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.WatchResendPoliciesRequest, dev.susul.v1.WatchResendPoliciesResponse> getWatchResendPoliciesMethod;
    if ((getWatchResendPoliciesMethod = ResendPolicyServiceGrpc.getWatchResendPoliciesMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getWatchResendPoliciesMethod = ResendPolicyServiceGrpc.getWatchResendPoliciesMethod) == null) {
          ResendPolicyServiceGrpc.getWatchResendPoliciesMethod = getWatchResendPoliciesMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.WatchResendPoliciesRequest, dev.susul.v1.WatchResendPoliciesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchResendPolicies"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.WatchResendPoliciesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.WatchResendPoliciesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("WatchResendPolicies"))
              .build();
        }
      }
    }
    return getWatchResendPoliciesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.PreviewResendPolicyRequest,
      dev.susul.v1.PreviewResendPolicyResponse> getPreviewResendPolicyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "PreviewResendPolicy",
      requestType = dev.susul.v1.PreviewResendPolicyRequest.class,
      responseType = dev.susul.v1.PreviewResendPolicyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.PreviewResendPolicyRequest,
      dev.susul.v1.PreviewResendPolicyResponse> getPreviewResendPolicyMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.PreviewResendPolicyRequest, dev.susul.v1.PreviewResendPolicyResponse> getPreviewResendPolicyMethod;
    if ((getPreviewResendPolicyMethod = ResendPolicyServiceGrpc.getPreviewResendPolicyMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getPreviewResendPolicyMethod = ResendPolicyServiceGrpc.getPreviewResendPolicyMethod) == null) {
          ResendPolicyServiceGrpc.getPreviewResendPolicyMethod = getPreviewResendPolicyMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.PreviewResendPolicyRequest, dev.susul.v1.PreviewResendPolicyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "PreviewResendPolicy"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.PreviewResendPolicyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.PreviewResendPolicyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("PreviewResendPolicy"))
              .build();
        }
      }
    }
    return getPreviewResendPolicyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.BacktestResendPolicyRequest,
      dev.susul.v1.BacktestResendPolicyResponse> getBacktestResendPolicyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "BacktestResendPolicy",
      requestType = dev.susul.v1.BacktestResendPolicyRequest.class,
      responseType = dev.susul.v1.BacktestResendPolicyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.BacktestResendPolicyRequest,
      dev.susul.v1.BacktestResendPolicyResponse> getBacktestResendPolicyMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.BacktestResendPolicyRequest, dev.susul.v1.BacktestResendPolicyResponse> getBacktestResendPolicyMethod;
    if ((getBacktestResendPolicyMethod = ResendPolicyServiceGrpc.getBacktestResendPolicyMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getBacktestResendPolicyMethod = ResendPolicyServiceGrpc.getBacktestResendPolicyMethod) == null) {
          ResendPolicyServiceGrpc.getBacktestResendPolicyMethod = getBacktestResendPolicyMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.BacktestResendPolicyRequest, dev.susul.v1.BacktestResendPolicyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "BacktestResendPolicy"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.BacktestResendPolicyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.BacktestResendPolicyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("BacktestResendPolicy"))
              .build();
        }
      }
    }
    return getBacktestResendPolicyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetResendPolicyReportRequest,
      dev.susul.v1.GetResendPolicyReportResponse> getGetResendPolicyReportMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetResendPolicyReport",
      requestType = dev.susul.v1.GetResendPolicyReportRequest.class,
      responseType = dev.susul.v1.GetResendPolicyReportResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetResendPolicyReportRequest,
      dev.susul.v1.GetResendPolicyReportResponse> getGetResendPolicyReportMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetResendPolicyReportRequest, dev.susul.v1.GetResendPolicyReportResponse> getGetResendPolicyReportMethod;
    if ((getGetResendPolicyReportMethod = ResendPolicyServiceGrpc.getGetResendPolicyReportMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getGetResendPolicyReportMethod = ResendPolicyServiceGrpc.getGetResendPolicyReportMethod) == null) {
          ResendPolicyServiceGrpc.getGetResendPolicyReportMethod = getGetResendPolicyReportMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetResendPolicyReportRequest, dev.susul.v1.GetResendPolicyReportResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetResendPolicyReport"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetResendPolicyReportRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetResendPolicyReportResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("GetResendPolicyReport"))
              .build();
        }
      }
    }
    return getGetResendPolicyReportMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetFollowUpSwitchRequest,
      dev.susul.v1.GetFollowUpSwitchResponse> getGetFollowUpSwitchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetFollowUpSwitch",
      requestType = dev.susul.v1.GetFollowUpSwitchRequest.class,
      responseType = dev.susul.v1.GetFollowUpSwitchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetFollowUpSwitchRequest,
      dev.susul.v1.GetFollowUpSwitchResponse> getGetFollowUpSwitchMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetFollowUpSwitchRequest, dev.susul.v1.GetFollowUpSwitchResponse> getGetFollowUpSwitchMethod;
    if ((getGetFollowUpSwitchMethod = ResendPolicyServiceGrpc.getGetFollowUpSwitchMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getGetFollowUpSwitchMethod = ResendPolicyServiceGrpc.getGetFollowUpSwitchMethod) == null) {
          ResendPolicyServiceGrpc.getGetFollowUpSwitchMethod = getGetFollowUpSwitchMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetFollowUpSwitchRequest, dev.susul.v1.GetFollowUpSwitchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetFollowUpSwitch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetFollowUpSwitchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetFollowUpSwitchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("GetFollowUpSwitch"))
              .build();
        }
      }
    }
    return getGetFollowUpSwitchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.UpdateFollowUpSwitchRequest,
      dev.susul.v1.UpdateFollowUpSwitchResponse> getUpdateFollowUpSwitchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "UpdateFollowUpSwitch",
      requestType = dev.susul.v1.UpdateFollowUpSwitchRequest.class,
      responseType = dev.susul.v1.UpdateFollowUpSwitchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.UpdateFollowUpSwitchRequest,
      dev.susul.v1.UpdateFollowUpSwitchResponse> getUpdateFollowUpSwitchMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.UpdateFollowUpSwitchRequest, dev.susul.v1.UpdateFollowUpSwitchResponse> getUpdateFollowUpSwitchMethod;
    if ((getUpdateFollowUpSwitchMethod = ResendPolicyServiceGrpc.getUpdateFollowUpSwitchMethod) == null) {
      synchronized (ResendPolicyServiceGrpc.class) {
        if ((getUpdateFollowUpSwitchMethod = ResendPolicyServiceGrpc.getUpdateFollowUpSwitchMethod) == null) {
          ResendPolicyServiceGrpc.getUpdateFollowUpSwitchMethod = getUpdateFollowUpSwitchMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.UpdateFollowUpSwitchRequest, dev.susul.v1.UpdateFollowUpSwitchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "UpdateFollowUpSwitch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.UpdateFollowUpSwitchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.UpdateFollowUpSwitchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ResendPolicyServiceMethodDescriptorSupplier("UpdateFollowUpSwitch"))
              .build();
        }
      }
    }
    return getUpdateFollowUpSwitchMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ResendPolicyServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceStub>() {
        @java.lang.Override
        public ResendPolicyServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ResendPolicyServiceStub(channel, callOptions);
        }
      };
    return ResendPolicyServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ResendPolicyServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceBlockingV2Stub>() {
        @java.lang.Override
        public ResendPolicyServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ResendPolicyServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ResendPolicyServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ResendPolicyServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceBlockingStub>() {
        @java.lang.Override
        public ResendPolicyServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ResendPolicyServiceBlockingStub(channel, callOptions);
        }
      };
    return ResendPolicyServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ResendPolicyServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ResendPolicyServiceFutureStub>() {
        @java.lang.Override
        public ResendPolicyServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ResendPolicyServiceFutureStub(channel, callOptions);
        }
      };
    return ResendPolicyServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
   * node within a second.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * CreateResendPolicy stores a new policy.
     * </pre>
     */
    default void createResendPolicy(dev.susul.v1.CreateResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CreateResendPolicyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateResendPolicyMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetResendPolicy returns one policy.
     * </pre>
     */
    default void getResendPolicy(dev.susul.v1.GetResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetResendPolicyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetResendPolicyMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListResendPolicies returns policies in the order of their names.
     * </pre>
     */
    default void listResendPolicies(dev.susul.v1.ListResendPoliciesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListResendPoliciesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListResendPoliciesMethod(), responseObserver);
    }

    /**
     * <pre>
     * UpdateResendPolicy changes a policy. Pushes that have the policy keep the steps and texts that they were accepted
     * with; pausing it stops the requests and the steps that come due until it is resumed.
     * </pre>
     */
    default void updateResendPolicy(dev.susul.v1.UpdateResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.UpdateResendPolicyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getUpdateResendPolicyMethod(), responseObserver);
    }

    /**
     * <pre>
     * DeleteResendPolicy removes a policy and stops the pending steps of the pushes that have it.
     * </pre>
     */
    default void deleteResendPolicy(dev.susul.v1.DeleteResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteResendPolicyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteResendPolicyMethod(), responseObserver);
    }

    /**
     * <pre>
     * WatchResendPolicies streams the policies as they are, then `in_sync`, then every change.
     * </pre>
     */
    default void watchResendPolicies(dev.susul.v1.WatchResendPoliciesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.WatchResendPoliciesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchResendPoliciesMethod(), responseObserver);
    }

    /**
     * <pre>
     * PreviewResendPolicy renders a step for given recipients of a push, and counts who would get it now. Nothing is stored or
     * sent. It looks at all recipients of the push, in seconds for a million of them.
     * </pre>
     */
    default void previewResendPolicy(dev.susul.v1.PreviewResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.PreviewResendPolicyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPreviewResendPolicyMethod(), responseObserver);
    }

    /**
     * <pre>
     * BacktestResendPolicy runs a policy over an app's stored pushes and says whom it would have reached, when, and how many of
     * those clicked later anyway, without a follow-up of this policy. Frequency caps and minimum gaps are not part of it, nor
     * is what was not stored: attributes of devices are those of today. Nothing is stored or sent.
     * </pre>
     */
    default void backtestResendPolicy(dev.susul.v1.BacktestResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.BacktestResendPolicyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getBacktestResendPolicyMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetResendPolicyReport returns what a policy's steps brought, over all pushes whose click window has ended.
     * </pre>
     */
    default void getResendPolicyReport(dev.susul.v1.GetResendPolicyReportRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetResendPolicyReportResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetResendPolicyReportMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetFollowUpSwitch tells whether an app's follow-ups are stopped.
     * </pre>
     */
    default void getFollowUpSwitch(dev.susul.v1.GetFollowUpSwitchRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetFollowUpSwitchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetFollowUpSwitchMethod(), responseObserver);
    }

    /**
     * <pre>
     * UpdateFollowUpSwitch stops all follow-ups of an app at once, or lets them go on. While they are stopped, follow-ups' requests
     * and steps that come due are cancelled, with the reason FOLLOW_UPS_STOPPED. What comes due after is sent, also what waits for
     * the end of quiet hours meanwhile. Pushes of the business's own go on.
     * </pre>
     */
    default void updateFollowUpSwitch(dev.susul.v1.UpdateFollowUpSwitchRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.UpdateFollowUpSwitchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getUpdateFollowUpSwitchMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ResendPolicyService.
   * <pre>
   * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
   * node within a second.
   * </pre>
   */
  public static abstract class ResendPolicyServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ResendPolicyServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ResendPolicyService.
   * <pre>
   * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
   * node within a second.
   * </pre>
   */
  public static final class ResendPolicyServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ResendPolicyServiceStub> {
    private ResendPolicyServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ResendPolicyServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ResendPolicyServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * CreateResendPolicy stores a new policy.
     * </pre>
     */
    public void createResendPolicy(dev.susul.v1.CreateResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CreateResendPolicyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateResendPolicyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetResendPolicy returns one policy.
     * </pre>
     */
    public void getResendPolicy(dev.susul.v1.GetResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetResendPolicyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetResendPolicyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListResendPolicies returns policies in the order of their names.
     * </pre>
     */
    public void listResendPolicies(dev.susul.v1.ListResendPoliciesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListResendPoliciesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListResendPoliciesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * UpdateResendPolicy changes a policy. Pushes that have the policy keep the steps and texts that they were accepted
     * with; pausing it stops the requests and the steps that come due until it is resumed.
     * </pre>
     */
    public void updateResendPolicy(dev.susul.v1.UpdateResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.UpdateResendPolicyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getUpdateResendPolicyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * DeleteResendPolicy removes a policy and stops the pending steps of the pushes that have it.
     * </pre>
     */
    public void deleteResendPolicy(dev.susul.v1.DeleteResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteResendPolicyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteResendPolicyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * WatchResendPolicies streams the policies as they are, then `in_sync`, then every change.
     * </pre>
     */
    public void watchResendPolicies(dev.susul.v1.WatchResendPoliciesRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.WatchResendPoliciesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchResendPoliciesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * PreviewResendPolicy renders a step for given recipients of a push, and counts who would get it now. Nothing is stored or
     * sent. It looks at all recipients of the push, in seconds for a million of them.
     * </pre>
     */
    public void previewResendPolicy(dev.susul.v1.PreviewResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.PreviewResendPolicyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPreviewResendPolicyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * BacktestResendPolicy runs a policy over an app's stored pushes and says whom it would have reached, when, and how many of
     * those clicked later anyway, without a follow-up of this policy. Frequency caps and minimum gaps are not part of it, nor
     * is what was not stored: attributes of devices are those of today. Nothing is stored or sent.
     * </pre>
     */
    public void backtestResendPolicy(dev.susul.v1.BacktestResendPolicyRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.BacktestResendPolicyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getBacktestResendPolicyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetResendPolicyReport returns what a policy's steps brought, over all pushes whose click window has ended.
     * </pre>
     */
    public void getResendPolicyReport(dev.susul.v1.GetResendPolicyReportRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetResendPolicyReportResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetResendPolicyReportMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetFollowUpSwitch tells whether an app's follow-ups are stopped.
     * </pre>
     */
    public void getFollowUpSwitch(dev.susul.v1.GetFollowUpSwitchRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetFollowUpSwitchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetFollowUpSwitchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * UpdateFollowUpSwitch stops all follow-ups of an app at once, or lets them go on. While they are stopped, follow-ups' requests
     * and steps that come due are cancelled, with the reason FOLLOW_UPS_STOPPED. What comes due after is sent, also what waits for
     * the end of quiet hours meanwhile. Pushes of the business's own go on.
     * </pre>
     */
    public void updateFollowUpSwitch(dev.susul.v1.UpdateFollowUpSwitchRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.UpdateFollowUpSwitchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getUpdateFollowUpSwitchMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ResendPolicyService.
   * <pre>
   * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
   * node within a second.
   * </pre>
   */
  public static final class ResendPolicyServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ResendPolicyServiceBlockingV2Stub> {
    private ResendPolicyServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ResendPolicyServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ResendPolicyServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * CreateResendPolicy stores a new policy.
     * </pre>
     */
    public dev.susul.v1.CreateResendPolicyResponse createResendPolicy(dev.susul.v1.CreateResendPolicyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetResendPolicy returns one policy.
     * </pre>
     */
    public dev.susul.v1.GetResendPolicyResponse getResendPolicy(dev.susul.v1.GetResendPolicyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListResendPolicies returns policies in the order of their names.
     * </pre>
     */
    public dev.susul.v1.ListResendPoliciesResponse listResendPolicies(dev.susul.v1.ListResendPoliciesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListResendPoliciesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * UpdateResendPolicy changes a policy. Pushes that have the policy keep the steps and texts that they were accepted
     * with; pausing it stops the requests and the steps that come due until it is resumed.
     * </pre>
     */
    public dev.susul.v1.UpdateResendPolicyResponse updateResendPolicy(dev.susul.v1.UpdateResendPolicyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getUpdateResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteResendPolicy removes a policy and stops the pending steps of the pushes that have it.
     * </pre>
     */
    public dev.susul.v1.DeleteResendPolicyResponse deleteResendPolicy(dev.susul.v1.DeleteResendPolicyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * WatchResendPolicies streams the policies as they are, then `in_sync`, then every change.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.susul.v1.WatchResendPoliciesResponse>
        watchResendPolicies(dev.susul.v1.WatchResendPoliciesRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchResendPoliciesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * PreviewResendPolicy renders a step for given recipients of a push, and counts who would get it now. Nothing is stored or
     * sent. It looks at all recipients of the push, in seconds for a million of them.
     * </pre>
     */
    public dev.susul.v1.PreviewResendPolicyResponse previewResendPolicy(dev.susul.v1.PreviewResendPolicyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPreviewResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * BacktestResendPolicy runs a policy over an app's stored pushes and says whom it would have reached, when, and how many of
     * those clicked later anyway, without a follow-up of this policy. Frequency caps and minimum gaps are not part of it, nor
     * is what was not stored: attributes of devices are those of today. Nothing is stored or sent.
     * </pre>
     */
    public dev.susul.v1.BacktestResendPolicyResponse backtestResendPolicy(dev.susul.v1.BacktestResendPolicyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getBacktestResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetResendPolicyReport returns what a policy's steps brought, over all pushes whose click window has ended.
     * </pre>
     */
    public dev.susul.v1.GetResendPolicyReportResponse getResendPolicyReport(dev.susul.v1.GetResendPolicyReportRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetResendPolicyReportMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetFollowUpSwitch tells whether an app's follow-ups are stopped.
     * </pre>
     */
    public dev.susul.v1.GetFollowUpSwitchResponse getFollowUpSwitch(dev.susul.v1.GetFollowUpSwitchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetFollowUpSwitchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * UpdateFollowUpSwitch stops all follow-ups of an app at once, or lets them go on. While they are stopped, follow-ups' requests
     * and steps that come due are cancelled, with the reason FOLLOW_UPS_STOPPED. What comes due after is sent, also what waits for
     * the end of quiet hours meanwhile. Pushes of the business's own go on.
     * </pre>
     */
    public dev.susul.v1.UpdateFollowUpSwitchResponse updateFollowUpSwitch(dev.susul.v1.UpdateFollowUpSwitchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getUpdateFollowUpSwitchMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ResendPolicyService.
   * <pre>
   * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
   * node within a second.
   * </pre>
   */
  public static final class ResendPolicyServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ResendPolicyServiceBlockingStub> {
    private ResendPolicyServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ResendPolicyServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ResendPolicyServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * CreateResendPolicy stores a new policy.
     * </pre>
     */
    public dev.susul.v1.CreateResendPolicyResponse createResendPolicy(dev.susul.v1.CreateResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetResendPolicy returns one policy.
     * </pre>
     */
    public dev.susul.v1.GetResendPolicyResponse getResendPolicy(dev.susul.v1.GetResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListResendPolicies returns policies in the order of their names.
     * </pre>
     */
    public dev.susul.v1.ListResendPoliciesResponse listResendPolicies(dev.susul.v1.ListResendPoliciesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListResendPoliciesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * UpdateResendPolicy changes a policy. Pushes that have the policy keep the steps and texts that they were accepted
     * with; pausing it stops the requests and the steps that come due until it is resumed.
     * </pre>
     */
    public dev.susul.v1.UpdateResendPolicyResponse updateResendPolicy(dev.susul.v1.UpdateResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getUpdateResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteResendPolicy removes a policy and stops the pending steps of the pushes that have it.
     * </pre>
     */
    public dev.susul.v1.DeleteResendPolicyResponse deleteResendPolicy(dev.susul.v1.DeleteResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * WatchResendPolicies streams the policies as they are, then `in_sync`, then every change.
     * </pre>
     */
    public java.util.Iterator<dev.susul.v1.WatchResendPoliciesResponse> watchResendPolicies(
        dev.susul.v1.WatchResendPoliciesRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchResendPoliciesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * PreviewResendPolicy renders a step for given recipients of a push, and counts who would get it now. Nothing is stored or
     * sent. It looks at all recipients of the push, in seconds for a million of them.
     * </pre>
     */
    public dev.susul.v1.PreviewResendPolicyResponse previewResendPolicy(dev.susul.v1.PreviewResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPreviewResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * BacktestResendPolicy runs a policy over an app's stored pushes and says whom it would have reached, when, and how many of
     * those clicked later anyway, without a follow-up of this policy. Frequency caps and minimum gaps are not part of it, nor
     * is what was not stored: attributes of devices are those of today. Nothing is stored or sent.
     * </pre>
     */
    public dev.susul.v1.BacktestResendPolicyResponse backtestResendPolicy(dev.susul.v1.BacktestResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getBacktestResendPolicyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetResendPolicyReport returns what a policy's steps brought, over all pushes whose click window has ended.
     * </pre>
     */
    public dev.susul.v1.GetResendPolicyReportResponse getResendPolicyReport(dev.susul.v1.GetResendPolicyReportRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetResendPolicyReportMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetFollowUpSwitch tells whether an app's follow-ups are stopped.
     * </pre>
     */
    public dev.susul.v1.GetFollowUpSwitchResponse getFollowUpSwitch(dev.susul.v1.GetFollowUpSwitchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetFollowUpSwitchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * UpdateFollowUpSwitch stops all follow-ups of an app at once, or lets them go on. While they are stopped, follow-ups' requests
     * and steps that come due are cancelled, with the reason FOLLOW_UPS_STOPPED. What comes due after is sent, also what waits for
     * the end of quiet hours meanwhile. Pushes of the business's own go on.
     * </pre>
     */
    public dev.susul.v1.UpdateFollowUpSwitchResponse updateFollowUpSwitch(dev.susul.v1.UpdateFollowUpSwitchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getUpdateFollowUpSwitchMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ResendPolicyService.
   * <pre>
   * ResendPolicyService manages resend policies. All calls need an admin's token (`Bearer …`). A change is live on every
   * node within a second.
   * </pre>
   */
  public static final class ResendPolicyServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ResendPolicyServiceFutureStub> {
    private ResendPolicyServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ResendPolicyServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ResendPolicyServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * CreateResendPolicy stores a new policy.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.CreateResendPolicyResponse> createResendPolicy(
        dev.susul.v1.CreateResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateResendPolicyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetResendPolicy returns one policy.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetResendPolicyResponse> getResendPolicy(
        dev.susul.v1.GetResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetResendPolicyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListResendPolicies returns policies in the order of their names.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListResendPoliciesResponse> listResendPolicies(
        dev.susul.v1.ListResendPoliciesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListResendPoliciesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * UpdateResendPolicy changes a policy. Pushes that have the policy keep the steps and texts that they were accepted
     * with; pausing it stops the requests and the steps that come due until it is resumed.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.UpdateResendPolicyResponse> updateResendPolicy(
        dev.susul.v1.UpdateResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getUpdateResendPolicyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * DeleteResendPolicy removes a policy and stops the pending steps of the pushes that have it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.DeleteResendPolicyResponse> deleteResendPolicy(
        dev.susul.v1.DeleteResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteResendPolicyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * PreviewResendPolicy renders a step for given recipients of a push, and counts who would get it now. Nothing is stored or
     * sent. It looks at all recipients of the push, in seconds for a million of them.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.PreviewResendPolicyResponse> previewResendPolicy(
        dev.susul.v1.PreviewResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPreviewResendPolicyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * BacktestResendPolicy runs a policy over an app's stored pushes and says whom it would have reached, when, and how many of
     * those clicked later anyway, without a follow-up of this policy. Frequency caps and minimum gaps are not part of it, nor
     * is what was not stored: attributes of devices are those of today. Nothing is stored or sent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.BacktestResendPolicyResponse> backtestResendPolicy(
        dev.susul.v1.BacktestResendPolicyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getBacktestResendPolicyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetResendPolicyReport returns what a policy's steps brought, over all pushes whose click window has ended.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetResendPolicyReportResponse> getResendPolicyReport(
        dev.susul.v1.GetResendPolicyReportRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetResendPolicyReportMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetFollowUpSwitch tells whether an app's follow-ups are stopped.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetFollowUpSwitchResponse> getFollowUpSwitch(
        dev.susul.v1.GetFollowUpSwitchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetFollowUpSwitchMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * UpdateFollowUpSwitch stops all follow-ups of an app at once, or lets them go on. While they are stopped, follow-ups' requests
     * and steps that come due are cancelled, with the reason FOLLOW_UPS_STOPPED. What comes due after is sent, also what waits for
     * the end of quiet hours meanwhile. Pushes of the business's own go on.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.UpdateFollowUpSwitchResponse> updateFollowUpSwitch(
        dev.susul.v1.UpdateFollowUpSwitchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getUpdateFollowUpSwitchMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CREATE_RESEND_POLICY = 0;
  private static final int METHODID_GET_RESEND_POLICY = 1;
  private static final int METHODID_LIST_RESEND_POLICIES = 2;
  private static final int METHODID_UPDATE_RESEND_POLICY = 3;
  private static final int METHODID_DELETE_RESEND_POLICY = 4;
  private static final int METHODID_WATCH_RESEND_POLICIES = 5;
  private static final int METHODID_PREVIEW_RESEND_POLICY = 6;
  private static final int METHODID_BACKTEST_RESEND_POLICY = 7;
  private static final int METHODID_GET_RESEND_POLICY_REPORT = 8;
  private static final int METHODID_GET_FOLLOW_UP_SWITCH = 9;
  private static final int METHODID_UPDATE_FOLLOW_UP_SWITCH = 10;

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
        case METHODID_CREATE_RESEND_POLICY:
          serviceImpl.createResendPolicy((dev.susul.v1.CreateResendPolicyRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.CreateResendPolicyResponse>) responseObserver);
          break;
        case METHODID_GET_RESEND_POLICY:
          serviceImpl.getResendPolicy((dev.susul.v1.GetResendPolicyRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetResendPolicyResponse>) responseObserver);
          break;
        case METHODID_LIST_RESEND_POLICIES:
          serviceImpl.listResendPolicies((dev.susul.v1.ListResendPoliciesRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListResendPoliciesResponse>) responseObserver);
          break;
        case METHODID_UPDATE_RESEND_POLICY:
          serviceImpl.updateResendPolicy((dev.susul.v1.UpdateResendPolicyRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.UpdateResendPolicyResponse>) responseObserver);
          break;
        case METHODID_DELETE_RESEND_POLICY:
          serviceImpl.deleteResendPolicy((dev.susul.v1.DeleteResendPolicyRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.DeleteResendPolicyResponse>) responseObserver);
          break;
        case METHODID_WATCH_RESEND_POLICIES:
          serviceImpl.watchResendPolicies((dev.susul.v1.WatchResendPoliciesRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.WatchResendPoliciesResponse>) responseObserver);
          break;
        case METHODID_PREVIEW_RESEND_POLICY:
          serviceImpl.previewResendPolicy((dev.susul.v1.PreviewResendPolicyRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.PreviewResendPolicyResponse>) responseObserver);
          break;
        case METHODID_BACKTEST_RESEND_POLICY:
          serviceImpl.backtestResendPolicy((dev.susul.v1.BacktestResendPolicyRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.BacktestResendPolicyResponse>) responseObserver);
          break;
        case METHODID_GET_RESEND_POLICY_REPORT:
          serviceImpl.getResendPolicyReport((dev.susul.v1.GetResendPolicyReportRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetResendPolicyReportResponse>) responseObserver);
          break;
        case METHODID_GET_FOLLOW_UP_SWITCH:
          serviceImpl.getFollowUpSwitch((dev.susul.v1.GetFollowUpSwitchRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetFollowUpSwitchResponse>) responseObserver);
          break;
        case METHODID_UPDATE_FOLLOW_UP_SWITCH:
          serviceImpl.updateFollowUpSwitch((dev.susul.v1.UpdateFollowUpSwitchRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.UpdateFollowUpSwitchResponse>) responseObserver);
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
          getCreateResendPolicyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.CreateResendPolicyRequest,
              dev.susul.v1.CreateResendPolicyResponse>(
                service, METHODID_CREATE_RESEND_POLICY)))
        .addMethod(
          getGetResendPolicyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetResendPolicyRequest,
              dev.susul.v1.GetResendPolicyResponse>(
                service, METHODID_GET_RESEND_POLICY)))
        .addMethod(
          getListResendPoliciesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListResendPoliciesRequest,
              dev.susul.v1.ListResendPoliciesResponse>(
                service, METHODID_LIST_RESEND_POLICIES)))
        .addMethod(
          getUpdateResendPolicyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.UpdateResendPolicyRequest,
              dev.susul.v1.UpdateResendPolicyResponse>(
                service, METHODID_UPDATE_RESEND_POLICY)))
        .addMethod(
          getDeleteResendPolicyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.DeleteResendPolicyRequest,
              dev.susul.v1.DeleteResendPolicyResponse>(
                service, METHODID_DELETE_RESEND_POLICY)))
        .addMethod(
          getWatchResendPoliciesMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.susul.v1.WatchResendPoliciesRequest,
              dev.susul.v1.WatchResendPoliciesResponse>(
                service, METHODID_WATCH_RESEND_POLICIES)))
        .addMethod(
          getPreviewResendPolicyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.PreviewResendPolicyRequest,
              dev.susul.v1.PreviewResendPolicyResponse>(
                service, METHODID_PREVIEW_RESEND_POLICY)))
        .addMethod(
          getBacktestResendPolicyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.BacktestResendPolicyRequest,
              dev.susul.v1.BacktestResendPolicyResponse>(
                service, METHODID_BACKTEST_RESEND_POLICY)))
        .addMethod(
          getGetResendPolicyReportMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetResendPolicyReportRequest,
              dev.susul.v1.GetResendPolicyReportResponse>(
                service, METHODID_GET_RESEND_POLICY_REPORT)))
        .addMethod(
          getGetFollowUpSwitchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetFollowUpSwitchRequest,
              dev.susul.v1.GetFollowUpSwitchResponse>(
                service, METHODID_GET_FOLLOW_UP_SWITCH)))
        .addMethod(
          getUpdateFollowUpSwitchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.UpdateFollowUpSwitchRequest,
              dev.susul.v1.UpdateFollowUpSwitchResponse>(
                service, METHODID_UPDATE_FOLLOW_UP_SWITCH)))
        .build();
  }

  private static abstract class ResendPolicyServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ResendPolicyServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.susul.v1.ResendPolicyServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ResendPolicyService");
    }
  }

  private static final class ResendPolicyServiceFileDescriptorSupplier
      extends ResendPolicyServiceBaseDescriptorSupplier {
    ResendPolicyServiceFileDescriptorSupplier() {}
  }

  private static final class ResendPolicyServiceMethodDescriptorSupplier
      extends ResendPolicyServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ResendPolicyServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (ResendPolicyServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ResendPolicyServiceFileDescriptorSupplier())
              .addMethod(getCreateResendPolicyMethod())
              .addMethod(getGetResendPolicyMethod())
              .addMethod(getListResendPoliciesMethod())
              .addMethod(getUpdateResendPolicyMethod())
              .addMethod(getDeleteResendPolicyMethod())
              .addMethod(getWatchResendPoliciesMethod())
              .addMethod(getPreviewResendPolicyMethod())
              .addMethod(getBacktestResendPolicyMethod())
              .addMethod(getGetResendPolicyReportMethod())
              .addMethod(getGetFollowUpSwitchMethod())
              .addMethod(getUpdateFollowUpSwitchMethod())
              .build();
        }
      }
    }
    return result;
  }
}
