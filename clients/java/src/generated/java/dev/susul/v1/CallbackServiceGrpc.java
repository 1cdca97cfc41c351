package dev.susul.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
 * subscriptions. EngageLab itself posts its own JSON to
 * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
 * PushService.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class CallbackServiceGrpc {

  private CallbackServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "susul.v1.CallbackService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ReportCallbacksRequest,
      dev.susul.v1.ReportCallbacksResponse> getReportCallbacksMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ReportCallbacks",
      requestType = dev.susul.v1.ReportCallbacksRequest.class,
      responseType = dev.susul.v1.ReportCallbacksResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ReportCallbacksRequest,
      dev.susul.v1.ReportCallbacksResponse> getReportCallbacksMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ReportCallbacksRequest, dev.susul.v1.ReportCallbacksResponse> getReportCallbacksMethod;
    if ((getReportCallbacksMethod = CallbackServiceGrpc.getReportCallbacksMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getReportCallbacksMethod = CallbackServiceGrpc.getReportCallbacksMethod) == null) {
          CallbackServiceGrpc.getReportCallbacksMethod = getReportCallbacksMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ReportCallbacksRequest, dev.susul.v1.ReportCallbacksResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ReportCallbacks"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ReportCallbacksRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ReportCallbacksResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("ReportCallbacks"))
              .build();
        }
      }
    }
    return getReportCallbacksMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListEventsRequest,
      dev.susul.v1.ListEventsResponse> getListEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListEvents",
      requestType = dev.susul.v1.ListEventsRequest.class,
      responseType = dev.susul.v1.ListEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListEventsRequest,
      dev.susul.v1.ListEventsResponse> getListEventsMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListEventsRequest, dev.susul.v1.ListEventsResponse> getListEventsMethod;
    if ((getListEventsMethod = CallbackServiceGrpc.getListEventsMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getListEventsMethod = CallbackServiceGrpc.getListEventsMethod) == null) {
          CallbackServiceGrpc.getListEventsMethod = getListEventsMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListEventsRequest, dev.susul.v1.ListEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("ListEvents"))
              .build();
        }
      }
    }
    return getListEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.WatchEventsRequest,
      dev.susul.v1.WatchEventsResponse> getWatchEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchEvents",
      requestType = dev.susul.v1.WatchEventsRequest.class,
      responseType = dev.susul.v1.WatchEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.susul.v1.WatchEventsRequest,
      dev.susul.v1.WatchEventsResponse> getWatchEventsMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.WatchEventsRequest, dev.susul.v1.WatchEventsResponse> getWatchEventsMethod;
    if ((getWatchEventsMethod = CallbackServiceGrpc.getWatchEventsMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getWatchEventsMethod = CallbackServiceGrpc.getWatchEventsMethod) == null) {
          CallbackServiceGrpc.getWatchEventsMethod = getWatchEventsMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.WatchEventsRequest, dev.susul.v1.WatchEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.WatchEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.WatchEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("WatchEvents"))
              .build();
        }
      }
    }
    return getWatchEventsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListHeldCallbacksRequest,
      dev.susul.v1.ListHeldCallbacksResponse> getListHeldCallbacksMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListHeldCallbacks",
      requestType = dev.susul.v1.ListHeldCallbacksRequest.class,
      responseType = dev.susul.v1.ListHeldCallbacksResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListHeldCallbacksRequest,
      dev.susul.v1.ListHeldCallbacksResponse> getListHeldCallbacksMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListHeldCallbacksRequest, dev.susul.v1.ListHeldCallbacksResponse> getListHeldCallbacksMethod;
    if ((getListHeldCallbacksMethod = CallbackServiceGrpc.getListHeldCallbacksMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getListHeldCallbacksMethod = CallbackServiceGrpc.getListHeldCallbacksMethod) == null) {
          CallbackServiceGrpc.getListHeldCallbacksMethod = getListHeldCallbacksMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListHeldCallbacksRequest, dev.susul.v1.ListHeldCallbacksResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListHeldCallbacks"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListHeldCallbacksRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListHeldCallbacksResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("ListHeldCallbacks"))
              .build();
        }
      }
    }
    return getListHeldCallbacksMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListRefusedCallbacksRequest,
      dev.susul.v1.ListRefusedCallbacksResponse> getListRefusedCallbacksMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListRefusedCallbacks",
      requestType = dev.susul.v1.ListRefusedCallbacksRequest.class,
      responseType = dev.susul.v1.ListRefusedCallbacksResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListRefusedCallbacksRequest,
      dev.susul.v1.ListRefusedCallbacksResponse> getListRefusedCallbacksMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListRefusedCallbacksRequest, dev.susul.v1.ListRefusedCallbacksResponse> getListRefusedCallbacksMethod;
    if ((getListRefusedCallbacksMethod = CallbackServiceGrpc.getListRefusedCallbacksMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getListRefusedCallbacksMethod = CallbackServiceGrpc.getListRefusedCallbacksMethod) == null) {
          CallbackServiceGrpc.getListRefusedCallbacksMethod = getListRefusedCallbacksMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListRefusedCallbacksRequest, dev.susul.v1.ListRefusedCallbacksResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListRefusedCallbacks"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListRefusedCallbacksRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListRefusedCallbacksResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("ListRefusedCallbacks"))
              .build();
        }
      }
    }
    return getListRefusedCallbacksMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetPushReportRequest,
      dev.susul.v1.GetPushReportResponse> getGetPushReportMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetPushReport",
      requestType = dev.susul.v1.GetPushReportRequest.class,
      responseType = dev.susul.v1.GetPushReportResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetPushReportRequest,
      dev.susul.v1.GetPushReportResponse> getGetPushReportMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetPushReportRequest, dev.susul.v1.GetPushReportResponse> getGetPushReportMethod;
    if ((getGetPushReportMethod = CallbackServiceGrpc.getGetPushReportMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getGetPushReportMethod = CallbackServiceGrpc.getGetPushReportMethod) == null) {
          CallbackServiceGrpc.getGetPushReportMethod = getGetPushReportMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetPushReportRequest, dev.susul.v1.GetPushReportResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetPushReport"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetPushReportRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetPushReportResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("GetPushReport"))
              .build();
        }
      }
    }
    return getGetPushReportMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetRecipientRequest,
      dev.susul.v1.GetRecipientResponse> getGetRecipientMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetRecipient",
      requestType = dev.susul.v1.GetRecipientRequest.class,
      responseType = dev.susul.v1.GetRecipientResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetRecipientRequest,
      dev.susul.v1.GetRecipientResponse> getGetRecipientMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetRecipientRequest, dev.susul.v1.GetRecipientResponse> getGetRecipientMethod;
    if ((getGetRecipientMethod = CallbackServiceGrpc.getGetRecipientMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getGetRecipientMethod = CallbackServiceGrpc.getGetRecipientMethod) == null) {
          CallbackServiceGrpc.getGetRecipientMethod = getGetRecipientMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetRecipientRequest, dev.susul.v1.GetRecipientResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetRecipient"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetRecipientRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetRecipientResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("GetRecipient"))
              .build();
        }
      }
    }
    return getGetRecipientMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ExplainRecipientRequest,
      dev.susul.v1.ExplainRecipientResponse> getExplainRecipientMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ExplainRecipient",
      requestType = dev.susul.v1.ExplainRecipientRequest.class,
      responseType = dev.susul.v1.ExplainRecipientResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ExplainRecipientRequest,
      dev.susul.v1.ExplainRecipientResponse> getExplainRecipientMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ExplainRecipientRequest, dev.susul.v1.ExplainRecipientResponse> getExplainRecipientMethod;
    if ((getExplainRecipientMethod = CallbackServiceGrpc.getExplainRecipientMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getExplainRecipientMethod = CallbackServiceGrpc.getExplainRecipientMethod) == null) {
          CallbackServiceGrpc.getExplainRecipientMethod = getExplainRecipientMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ExplainRecipientRequest, dev.susul.v1.ExplainRecipientResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ExplainRecipient"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ExplainRecipientRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ExplainRecipientResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("ExplainRecipient"))
              .build();
        }
      }
    }
    return getExplainRecipientMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.CreateSubscriptionRequest,
      dev.susul.v1.CreateSubscriptionResponse> getCreateSubscriptionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateSubscription",
      requestType = dev.susul.v1.CreateSubscriptionRequest.class,
      responseType = dev.susul.v1.CreateSubscriptionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.CreateSubscriptionRequest,
      dev.susul.v1.CreateSubscriptionResponse> getCreateSubscriptionMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.CreateSubscriptionRequest, dev.susul.v1.CreateSubscriptionResponse> getCreateSubscriptionMethod;
    if ((getCreateSubscriptionMethod = CallbackServiceGrpc.getCreateSubscriptionMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getCreateSubscriptionMethod = CallbackServiceGrpc.getCreateSubscriptionMethod) == null) {
          CallbackServiceGrpc.getCreateSubscriptionMethod = getCreateSubscriptionMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.CreateSubscriptionRequest, dev.susul.v1.CreateSubscriptionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateSubscription"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CreateSubscriptionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.CreateSubscriptionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("CreateSubscription"))
              .build();
        }
      }
    }
    return getCreateSubscriptionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.GetSubscriptionRequest,
      dev.susul.v1.GetSubscriptionResponse> getGetSubscriptionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetSubscription",
      requestType = dev.susul.v1.GetSubscriptionRequest.class,
      responseType = dev.susul.v1.GetSubscriptionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.GetSubscriptionRequest,
      dev.susul.v1.GetSubscriptionResponse> getGetSubscriptionMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.GetSubscriptionRequest, dev.susul.v1.GetSubscriptionResponse> getGetSubscriptionMethod;
    if ((getGetSubscriptionMethod = CallbackServiceGrpc.getGetSubscriptionMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getGetSubscriptionMethod = CallbackServiceGrpc.getGetSubscriptionMethod) == null) {
          CallbackServiceGrpc.getGetSubscriptionMethod = getGetSubscriptionMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.GetSubscriptionRequest, dev.susul.v1.GetSubscriptionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetSubscription"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetSubscriptionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.GetSubscriptionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("GetSubscription"))
              .build();
        }
      }
    }
    return getGetSubscriptionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.ListSubscriptionsRequest,
      dev.susul.v1.ListSubscriptionsResponse> getListSubscriptionsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListSubscriptions",
      requestType = dev.susul.v1.ListSubscriptionsRequest.class,
      responseType = dev.susul.v1.ListSubscriptionsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.ListSubscriptionsRequest,
      dev.susul.v1.ListSubscriptionsResponse> getListSubscriptionsMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.ListSubscriptionsRequest, dev.susul.v1.ListSubscriptionsResponse> getListSubscriptionsMethod;
    if ((getListSubscriptionsMethod = CallbackServiceGrpc.getListSubscriptionsMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getListSubscriptionsMethod = CallbackServiceGrpc.getListSubscriptionsMethod) == null) {
          CallbackServiceGrpc.getListSubscriptionsMethod = getListSubscriptionsMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.ListSubscriptionsRequest, dev.susul.v1.ListSubscriptionsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListSubscriptions"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListSubscriptionsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.ListSubscriptionsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("ListSubscriptions"))
              .build();
        }
      }
    }
    return getListSubscriptionsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.UpdateSubscriptionRequest,
      dev.susul.v1.UpdateSubscriptionResponse> getUpdateSubscriptionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "UpdateSubscription",
      requestType = dev.susul.v1.UpdateSubscriptionRequest.class,
      responseType = dev.susul.v1.UpdateSubscriptionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.UpdateSubscriptionRequest,
      dev.susul.v1.UpdateSubscriptionResponse> getUpdateSubscriptionMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.UpdateSubscriptionRequest, dev.susul.v1.UpdateSubscriptionResponse> getUpdateSubscriptionMethod;
    if ((getUpdateSubscriptionMethod = CallbackServiceGrpc.getUpdateSubscriptionMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getUpdateSubscriptionMethod = CallbackServiceGrpc.getUpdateSubscriptionMethod) == null) {
          CallbackServiceGrpc.getUpdateSubscriptionMethod = getUpdateSubscriptionMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.UpdateSubscriptionRequest, dev.susul.v1.UpdateSubscriptionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "UpdateSubscription"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.UpdateSubscriptionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.UpdateSubscriptionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("UpdateSubscription"))
              .build();
        }
      }
    }
    return getUpdateSubscriptionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.RotateSubscriptionSecretRequest,
      dev.susul.v1.RotateSubscriptionSecretResponse> getRotateSubscriptionSecretMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RotateSubscriptionSecret",
      requestType = dev.susul.v1.RotateSubscriptionSecretRequest.class,
      responseType = dev.susul.v1.RotateSubscriptionSecretResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.RotateSubscriptionSecretRequest,
      dev.susul.v1.RotateSubscriptionSecretResponse> getRotateSubscriptionSecretMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.RotateSubscriptionSecretRequest, dev.susul.v1.RotateSubscriptionSecretResponse> getRotateSubscriptionSecretMethod;
    if ((getRotateSubscriptionSecretMethod = CallbackServiceGrpc.getRotateSubscriptionSecretMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getRotateSubscriptionSecretMethod = CallbackServiceGrpc.getRotateSubscriptionSecretMethod) == null) {
          CallbackServiceGrpc.getRotateSubscriptionSecretMethod = getRotateSubscriptionSecretMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.RotateSubscriptionSecretRequest, dev.susul.v1.RotateSubscriptionSecretResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RotateSubscriptionSecret"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.RotateSubscriptionSecretRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.RotateSubscriptionSecretResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("RotateSubscriptionSecret"))
              .build();
        }
      }
    }
    return getRotateSubscriptionSecretMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.susul.v1.DeleteSubscriptionRequest,
      dev.susul.v1.DeleteSubscriptionResponse> getDeleteSubscriptionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteSubscription",
      requestType = dev.susul.v1.DeleteSubscriptionRequest.class,
      responseType = dev.susul.v1.DeleteSubscriptionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.susul.v1.DeleteSubscriptionRequest,
      dev.susul.v1.DeleteSubscriptionResponse> getDeleteSubscriptionMethod() {
    io.grpc.MethodDescriptor<dev.susul.v1.DeleteSubscriptionRequest, dev.susul.v1.DeleteSubscriptionResponse> getDeleteSubscriptionMethod;
    if ((getDeleteSubscriptionMethod = CallbackServiceGrpc.getDeleteSubscriptionMethod) == null) {
      synchronized (CallbackServiceGrpc.class) {
        if ((getDeleteSubscriptionMethod = CallbackServiceGrpc.getDeleteSubscriptionMethod) == null) {
          CallbackServiceGrpc.getDeleteSubscriptionMethod = getDeleteSubscriptionMethod =
              io.grpc.MethodDescriptor.<dev.susul.v1.DeleteSubscriptionRequest, dev.susul.v1.DeleteSubscriptionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteSubscription"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteSubscriptionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.susul.v1.DeleteSubscriptionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CallbackServiceMethodDescriptorSupplier("DeleteSubscription"))
              .build();
        }
      }
    }
    return getDeleteSubscriptionMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static CallbackServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CallbackServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CallbackServiceStub>() {
        @java.lang.Override
        public CallbackServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CallbackServiceStub(channel, callOptions);
        }
      };
    return CallbackServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static CallbackServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CallbackServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CallbackServiceBlockingV2Stub>() {
        @java.lang.Override
        public CallbackServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CallbackServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return CallbackServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static CallbackServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CallbackServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CallbackServiceBlockingStub>() {
        @java.lang.Override
        public CallbackServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CallbackServiceBlockingStub(channel, callOptions);
        }
      };
    return CallbackServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static CallbackServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CallbackServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CallbackServiceFutureStub>() {
        @java.lang.Override
        public CallbackServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CallbackServiceFutureStub(channel, callOptions);
        }
      };
    return CallbackServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
   * subscriptions. EngageLab itself posts its own JSON to
   * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
   * PushService.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * ReportCallbacks stores rows durably before it answers. A row that is repeated counts once, in whatever order rows
     * come.
     * </pre>
     */
    default void reportCallbacks(dev.susul.v1.ReportCallbacksRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ReportCallbacksResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReportCallbacksMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListEvents returns an app's events in the order in which they were stored.
     * </pre>
     */
    default void listEvents(dev.susul.v1.ListEventsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * WatchEvents streams an app's events as they are stored, beginning after resume_token. The first answer comes at
     * once and has only a resume_token, so that a client can resume even if nothing happens. A client that reconnects with
     * the last token that it has handled misses nothing and gets nothing twice.
     * </pre>
     */
    default void watchEvents(dev.susul.v1.WatchEventsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.WatchEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchEventsMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListHeldCallbacks returns the rows that are stored and touch no push, the longest held first.
     * </pre>
     */
    default void listHeldCallbacks(dev.susul.v1.ListHeldCallbacksRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListHeldCallbacksResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListHeldCallbacksMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListRefusedCallbacks returns the latest requests to `/v1/apps/{app_key}/callbacks` that were refused, the latest
     * first. The node that answers knows its own, since it started; the metric `susul_callbacks_refused_total` counts all.
     * </pre>
     */
    default void listRefusedCallbacks(dev.susul.v1.ListRefusedCallbacksRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListRefusedCallbacksResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListRefusedCallbacksMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetPushReport returns a push's counts and rates, by step and in total.
     * </pre>
     */
    default void getPushReport(dev.susul.v1.GetPushReportRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetPushReportResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetPushReportMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetRecipient returns how far a push got with one recipient.
     * </pre>
     */
    default void getRecipient(dev.susul.v1.GetRecipientRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetRecipientResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetRecipientMethod(), responseObserver);
    }

    /**
     * <pre>
     * ExplainRecipient tells, in order, all that a push meant for one recipient: what was sent, what was reported, and what was
     * planned, deferred or passed over, with reasons and times.
     * </pre>
     */
    default void explainRecipient(dev.susul.v1.ExplainRecipientRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ExplainRecipientResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExplainRecipientMethod(), responseObserver);
    }

    /**
     * <pre>
     * CreateSubscription stores a new subscription. It gets the events that are stored from now on.
     * </pre>
     */
    default void createSubscription(dev.susul.v1.CreateSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CreateSubscriptionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateSubscriptionMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetSubscription returns one subscription, without its secrets.
     * </pre>
     */
    default void getSubscription(dev.susul.v1.GetSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetSubscriptionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetSubscriptionMethod(), responseObserver);
    }

    /**
     * <pre>
     * ListSubscriptions returns an app's subscriptions in the order of their names, without their secrets.
     * </pre>
     */
    default void listSubscriptions(dev.susul.v1.ListSubscriptionsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListSubscriptionsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListSubscriptionsMethod(), responseObserver);
    }

    /**
     * <pre>
     * UpdateSubscription changes a subscription, within a second. Events that were not delivered yet are posted by the new rules,
     * at once.
     * </pre>
     */
    default void updateSubscription(dev.susul.v1.UpdateSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.UpdateSubscriptionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getUpdateSubscriptionMethod(), responseObserver);
    }

    /**
     * <pre>
     * RotateSubscriptionSecret makes up a new secret, and returns it. The one before stays good for a while: until then requests are
     * signed with both, so that the receiver can change at its leisure.
     * </pre>
     */
    default void rotateSubscriptionSecret(dev.susul.v1.RotateSubscriptionSecretRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.RotateSubscriptionSecretResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRotateSubscriptionSecretMethod(), responseObserver);
    }

    /**
     * <pre>
     * DeleteSubscription removes a subscription. What it had not delivered is not delivered any more; its dead letters go too.
     * </pre>
     */
    default void deleteSubscription(dev.susul.v1.DeleteSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteSubscriptionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteSubscriptionMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service CallbackService.
   * <pre>
   * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
   * subscriptions. EngageLab itself posts its own JSON to
   * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
   * PushService.
   * </pre>
   */
  public static abstract class CallbackServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return CallbackServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service CallbackService.
   * <pre>
   * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
   * subscriptions. EngageLab itself posts its own JSON to
   * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
   * PushService.
   * </pre>
   */
  public static final class CallbackServiceStub
      extends io.grpc.stub.AbstractAsyncStub<CallbackServiceStub> {
    private CallbackServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CallbackServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CallbackServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * ReportCallbacks stores rows durably before it answers. A row that is repeated counts once, in whatever order rows
     * come.
     * </pre>
     */
    public void reportCallbacks(dev.susul.v1.ReportCallbacksRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ReportCallbacksResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReportCallbacksMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListEvents returns an app's events in the order in which they were stored.
     * </pre>
     */
    public void listEvents(dev.susul.v1.ListEventsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * WatchEvents streams an app's events as they are stored, beginning after resume_token. The first answer comes at
     * once and has only a resume_token, so that a client can resume even if nothing happens. A client that reconnects with
     * the last token that it has handled misses nothing and gets nothing twice.
     * </pre>
     */
    public void watchEvents(dev.susul.v1.WatchEventsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.WatchEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchEventsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListHeldCallbacks returns the rows that are stored and touch no push, the longest held first.
     * </pre>
     */
    public void listHeldCallbacks(dev.susul.v1.ListHeldCallbacksRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListHeldCallbacksResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListHeldCallbacksMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListRefusedCallbacks returns the latest requests to `/v1/apps/{app_key}/callbacks` that were refused, the latest
     * first. The node that answers knows its own, since it started; the metric `susul_callbacks_refused_total` counts all.
     * </pre>
     */
    public void listRefusedCallbacks(dev.susul.v1.ListRefusedCallbacksRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListRefusedCallbacksResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListRefusedCallbacksMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetPushReport returns a push's counts and rates, by step and in total.
     * </pre>
     */
    public void getPushReport(dev.susul.v1.GetPushReportRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetPushReportResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetPushReportMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetRecipient returns how far a push got with one recipient.
     * </pre>
     */
    public void getRecipient(dev.susul.v1.GetRecipientRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetRecipientResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetRecipientMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ExplainRecipient tells, in order, all that a push meant for one recipient: what was sent, what was reported, and what was
     * planned, deferred or passed over, with reasons and times.
     * </pre>
     */
    public void explainRecipient(dev.susul.v1.ExplainRecipientRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ExplainRecipientResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getExplainRecipientMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * CreateSubscription stores a new subscription. It gets the events that are stored from now on.
     * </pre>
     */
    public void createSubscription(dev.susul.v1.CreateSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.CreateSubscriptionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateSubscriptionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetSubscription returns one subscription, without its secrets.
     * </pre>
     */
    public void getSubscription(dev.susul.v1.GetSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.GetSubscriptionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetSubscriptionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ListSubscriptions returns an app's subscriptions in the order of their names, without their secrets.
     * </pre>
     */
    public void listSubscriptions(dev.susul.v1.ListSubscriptionsRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.ListSubscriptionsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListSubscriptionsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * UpdateSubscription changes a subscription, within a second. Events that were not delivered yet are posted by the new rules,
     * at once.
     * </pre>
     */
    public void updateSubscription(dev.susul.v1.UpdateSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.UpdateSubscriptionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getUpdateSubscriptionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * RotateSubscriptionSecret makes up a new secret, and returns it. The one before stays good for a while: until then requests are
     * signed with both, so that the receiver can change at its leisure.
     * </pre>
     */
    public void rotateSubscriptionSecret(dev.susul.v1.RotateSubscriptionSecretRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.RotateSubscriptionSecretResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRotateSubscriptionSecretMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * DeleteSubscription removes a subscription. What it had not delivered is not delivered any more; its dead letters go too.
     * </pre>
     */
    public void deleteSubscription(dev.susul.v1.DeleteSubscriptionRequest request,
        io.grpc.stub.StreamObserver<dev.susul.v1.DeleteSubscriptionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteSubscriptionMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service CallbackService.
   * <pre>
   * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
   * subscriptions. EngageLab itself posts its own JSON to
   * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
   * PushService.
   * </pre>
   */
  public static final class CallbackServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<CallbackServiceBlockingV2Stub> {
    private CallbackServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CallbackServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CallbackServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * ReportCallbacks stores rows durably before it answers. A row that is repeated counts once, in whatever order rows
     * come.
     * </pre>
     */
    public dev.susul.v1.ReportCallbacksResponse reportCallbacks(dev.susul.v1.ReportCallbacksRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReportCallbacksMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListEvents returns an app's events in the order in which they were stored.
     * </pre>
     */
    public dev.susul.v1.ListEventsResponse listEvents(dev.susul.v1.ListEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * WatchEvents streams an app's events as they are stored, beginning after resume_token. The first answer comes at
     * once and has only a resume_token, so that a client can resume even if nothing happens. A client that reconnects with
     * the last token that it has handled misses nothing and gets nothing twice.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.susul.v1.WatchEventsResponse>
        watchEvents(dev.susul.v1.WatchEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListHeldCallbacks returns the rows that are stored and touch no push, the longest held first.
     * </pre>
     */
    public dev.susul.v1.ListHeldCallbacksResponse listHeldCallbacks(dev.susul.v1.ListHeldCallbacksRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListHeldCallbacksMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListRefusedCallbacks returns the latest requests to `/v1/apps/{app_key}/callbacks` that were refused, the latest
     * first. The node that answers knows its own, since it started; the metric `susul_callbacks_refused_total` counts all.
     * </pre>
     */
    public dev.susul.v1.ListRefusedCallbacksResponse listRefusedCallbacks(dev.susul.v1.ListRefusedCallbacksRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListRefusedCallbacksMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetPushReport returns a push's counts and rates, by step and in total.
     * </pre>
     */
    public dev.susul.v1.GetPushReportResponse getPushReport(dev.susul.v1.GetPushReportRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetPushReportMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetRecipient returns how far a push got with one recipient.
     * </pre>
     */
    public dev.susul.v1.GetRecipientResponse getRecipient(dev.susul.v1.GetRecipientRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetRecipientMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ExplainRecipient tells, in order, all that a push meant for one recipient: what was sent, what was reported, and what was
     * planned, deferred or passed over, with reasons and times.
     * </pre>
     */
    public dev.susul.v1.ExplainRecipientResponse explainRecipient(dev.susul.v1.ExplainRecipientRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getExplainRecipientMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * CreateSubscription stores a new subscription. It gets the events that are stored from now on.
     * </pre>
     */
    public dev.susul.v1.CreateSubscriptionResponse createSubscription(dev.susul.v1.CreateSubscriptionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateSubscriptionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetSubscription returns one subscription, without its secrets.
     * </pre>
     */
    public dev.susul.v1.GetSubscriptionResponse getSubscription(dev.susul.v1.GetSubscriptionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetSubscriptionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListSubscriptions returns an app's subscriptions in the order of their names, without their secrets.
     * </pre>
     */
    public dev.susul.v1.ListSubscriptionsResponse listSubscriptions(dev.susul.v1.ListSubscriptionsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListSubscriptionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * UpdateSubscription changes a subscription, within a second. Events that were not delivered yet are posted by the new rules,
     * at once.
     * </pre>
     */
    public dev.susul.v1.UpdateSubscriptionResponse updateSubscription(dev.susul.v1.UpdateSubscriptionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getUpdateSubscriptionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * RotateSubscriptionSecret makes up a new secret, and returns it. The one before stays good for a while: until then requests are
     * signed with both, so that the receiver can change at its leisure.
     * </pre>
     */
    public dev.susul.v1.RotateSubscriptionSecretResponse rotateSubscriptionSecret(dev.susul.v1.RotateSubscriptionSecretRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRotateSubscriptionSecretMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteSubscription removes a subscription. What it had not delivered is not delivered any more; its dead letters go too.
     * </pre>
     */
    public dev.susul.v1.DeleteSubscriptionResponse deleteSubscription(dev.susul.v1.DeleteSubscriptionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteSubscriptionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service CallbackService.
   * <pre>
   * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
   * subscriptions. EngageLab itself posts its own JSON to
   * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
   * PushService.
   * </pre>
   */
  public static final class CallbackServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<CallbackServiceBlockingStub> {
    private CallbackServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CallbackServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CallbackServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * ReportCallbacks stores rows durably before it answers. A row that is repeated counts once, in whatever order rows
     * come.
     * </pre>
     */
    public dev.susul.v1.ReportCallbacksResponse reportCallbacks(dev.susul.v1.ReportCallbacksRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReportCallbacksMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListEvents returns an app's events in the order in which they were stored.
     * </pre>
     */
    public dev.susul.v1.ListEventsResponse listEvents(dev.susul.v1.ListEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * WatchEvents streams an app's events as they are stored, beginning after resume_token. The first answer comes at
     * once and has only a resume_token, so that a client can resume even if nothing happens. A client that reconnects with
     * the last token that it has handled misses nothing and gets nothing twice.
     * </pre>
     */
    public java.util.Iterator<dev.susul.v1.WatchEventsResponse> watchEvents(
        dev.susul.v1.WatchEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchEventsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListHeldCallbacks returns the rows that are stored and touch no push, the longest held first.
     * </pre>
     */
    public dev.susul.v1.ListHeldCallbacksResponse listHeldCallbacks(dev.susul.v1.ListHeldCallbacksRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListHeldCallbacksMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListRefusedCallbacks returns the latest requests to `/v1/apps/{app_key}/callbacks` that were refused, the latest
     * first. The node that answers knows its own, since it started; the metric `susul_callbacks_refused_total` counts all.
     * </pre>
     */
    public dev.susul.v1.ListRefusedCallbacksResponse listRefusedCallbacks(dev.susul.v1.ListRefusedCallbacksRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListRefusedCallbacksMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetPushReport returns a push's counts and rates, by step and in total.
     * </pre>
     */
    public dev.susul.v1.GetPushReportResponse getPushReport(dev.susul.v1.GetPushReportRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetPushReportMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetRecipient returns how far a push got with one recipient.
     * </pre>
     */
    public dev.susul.v1.GetRecipientResponse getRecipient(dev.susul.v1.GetRecipientRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetRecipientMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ExplainRecipient tells, in order, all that a push meant for one recipient: what was sent, what was reported, and what was
     * planned, deferred or passed over, with reasons and times.
     * </pre>
     */
    public dev.susul.v1.ExplainRecipientResponse explainRecipient(dev.susul.v1.ExplainRecipientRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getExplainRecipientMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * CreateSubscription stores a new subscription. It gets the events that are stored from now on.
     * </pre>
     */
    public dev.susul.v1.CreateSubscriptionResponse createSubscription(dev.susul.v1.CreateSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateSubscriptionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetSubscription returns one subscription, without its secrets.
     * </pre>
     */
    public dev.susul.v1.GetSubscriptionResponse getSubscription(dev.susul.v1.GetSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetSubscriptionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ListSubscriptions returns an app's subscriptions in the order of their names, without their secrets.
     * </pre>
     */
    public dev.susul.v1.ListSubscriptionsResponse listSubscriptions(dev.susul.v1.ListSubscriptionsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListSubscriptionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * UpdateSubscription changes a subscription, within a second. Events that were not delivered yet are posted by the new rules,
     * at once.
     * </pre>
     */
    public dev.susul.v1.UpdateSubscriptionResponse updateSubscription(dev.susul.v1.UpdateSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getUpdateSubscriptionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * RotateSubscriptionSecret makes up a new secret, and returns it. The one before stays good for a while: until then requests are
     * signed with both, so that the receiver can change at its leisure.
     * </pre>
     */
    public dev.susul.v1.RotateSubscriptionSecretResponse rotateSubscriptionSecret(dev.susul.v1.RotateSubscriptionSecretRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRotateSubscriptionSecretMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * DeleteSubscription removes a subscription. What it had not delivered is not delivered any more; its dead letters go too.
     * </pre>
     */
    public dev.susul.v1.DeleteSubscriptionResponse deleteSubscription(dev.susul.v1.DeleteSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteSubscriptionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service CallbackService.
   * <pre>
   * CallbackService takes what EngageLab reports, tells what became of pushes, and has events posted to the business by
   * subscriptions. EngageLab itself posts its own JSON to
   * `/v1/apps/{app_key}/callbacks`; what arrives there and through ReportCallbacks is the same. Credentials are as for
   * PushService.
   * </pre>
   */
  public static final class CallbackServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<CallbackServiceFutureStub> {
    private CallbackServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CallbackServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CallbackServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * ReportCallbacks stores rows durably before it answers. A row that is repeated counts once, in whatever order rows
     * come.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ReportCallbacksResponse> reportCallbacks(
        dev.susul.v1.ReportCallbacksRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReportCallbacksMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListEvents returns an app's events in the order in which they were stored.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListEventsResponse> listEvents(
        dev.susul.v1.ListEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListEventsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListHeldCallbacks returns the rows that are stored and touch no push, the longest held first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListHeldCallbacksResponse> listHeldCallbacks(
        dev.susul.v1.ListHeldCallbacksRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListHeldCallbacksMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListRefusedCallbacks returns the latest requests to `/v1/apps/{app_key}/callbacks` that were refused, the latest
     * first. The node that answers knows its own, since it started; the metric `susul_callbacks_refused_total` counts all.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListRefusedCallbacksResponse> listRefusedCallbacks(
        dev.susul.v1.ListRefusedCallbacksRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListRefusedCallbacksMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetPushReport returns a push's counts and rates, by step and in total.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetPushReportResponse> getPushReport(
        dev.susul.v1.GetPushReportRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetPushReportMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetRecipient returns how far a push got with one recipient.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetRecipientResponse> getRecipient(
        dev.susul.v1.GetRecipientRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetRecipientMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ExplainRecipient tells, in order, all that a push meant for one recipient: what was sent, what was reported, and what was
     * planned, deferred or passed over, with reasons and times.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ExplainRecipientResponse> explainRecipient(
        dev.susul.v1.ExplainRecipientRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getExplainRecipientMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * CreateSubscription stores a new subscription. It gets the events that are stored from now on.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.CreateSubscriptionResponse> createSubscription(
        dev.susul.v1.CreateSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateSubscriptionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * GetSubscription returns one subscription, without its secrets.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.GetSubscriptionResponse> getSubscription(
        dev.susul.v1.GetSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetSubscriptionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * ListSubscriptions returns an app's subscriptions in the order of their names, without their secrets.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.ListSubscriptionsResponse> listSubscriptions(
        dev.susul.v1.ListSubscriptionsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListSubscriptionsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * UpdateSubscription changes a subscription, within a second. Events that were not delivered yet are posted by the new rules,
     * at once.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.UpdateSubscriptionResponse> updateSubscription(
        dev.susul.v1.UpdateSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getUpdateSubscriptionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * RotateSubscriptionSecret makes up a new secret, and returns it. The one before stays good for a while: until then requests are
     * signed with both, so that the receiver can change at its leisure.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.RotateSubscriptionSecretResponse> rotateSubscriptionSecret(
        dev.susul.v1.RotateSubscriptionSecretRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRotateSubscriptionSecretMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * DeleteSubscription removes a subscription. What it had not delivered is not delivered any more; its dead letters go too.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.susul.v1.DeleteSubscriptionResponse> deleteSubscription(
        dev.susul.v1.DeleteSubscriptionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteSubscriptionMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_REPORT_CALLBACKS = 0;
  private static final int METHODID_LIST_EVENTS = 1;
  private static final int METHODID_WATCH_EVENTS = 2;
  private static final int METHODID_LIST_HELD_CALLBACKS = 3;
  private static final int METHODID_LIST_REFUSED_CALLBACKS = 4;
  private static final int METHODID_GET_PUSH_REPORT = 5;
  private static final int METHODID_GET_RECIPIENT = 6;
  private static final int METHODID_EXPLAIN_RECIPIENT = 7;
  private static final int METHODID_CREATE_SUBSCRIPTION = 8;
  private static final int METHODID_GET_SUBSCRIPTION = 9;
  private static final int METHODID_LIST_SUBSCRIPTIONS = 10;
  private static final int METHODID_UPDATE_SUBSCRIPTION = 11;
  private static final int METHODID_ROTATE_SUBSCRIPTION_SECRET = 12;
  private static final int METHODID_DELETE_SUBSCRIPTION = 13;

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
        case METHODID_REPORT_CALLBACKS:
          serviceImpl.reportCallbacks((dev.susul.v1.ReportCallbacksRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ReportCallbacksResponse>) responseObserver);
          break;
        case METHODID_LIST_EVENTS:
          serviceImpl.listEvents((dev.susul.v1.ListEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListEventsResponse>) responseObserver);
          break;
        case METHODID_WATCH_EVENTS:
          serviceImpl.watchEvents((dev.susul.v1.WatchEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.WatchEventsResponse>) responseObserver);
          break;
        case METHODID_LIST_HELD_CALLBACKS:
          serviceImpl.listHeldCallbacks((dev.susul.v1.ListHeldCallbacksRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListHeldCallbacksResponse>) responseObserver);
          break;
        case METHODID_LIST_REFUSED_CALLBACKS:
          serviceImpl.listRefusedCallbacks((dev.susul.v1.ListRefusedCallbacksRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListRefusedCallbacksResponse>) responseObserver);
          break;
        case METHODID_GET_PUSH_REPORT:
          serviceImpl.getPushReport((dev.susul.v1.GetPushReportRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetPushReportResponse>) responseObserver);
          break;
        case METHODID_GET_RECIPIENT:
          serviceImpl.getRecipient((dev.susul.v1.GetRecipientRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetRecipientResponse>) responseObserver);
          break;
        case METHODID_EXPLAIN_RECIPIENT:
          serviceImpl.explainRecipient((dev.susul.v1.ExplainRecipientRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ExplainRecipientResponse>) responseObserver);
          break;
        case METHODID_CREATE_SUBSCRIPTION:
          serviceImpl.createSubscription((dev.susul.v1.CreateSubscriptionRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.CreateSubscriptionResponse>) responseObserver);
          break;
        case METHODID_GET_SUBSCRIPTION:
          serviceImpl.getSubscription((dev.susul.v1.GetSubscriptionRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.GetSubscriptionResponse>) responseObserver);
          break;
        case METHODID_LIST_SUBSCRIPTIONS:
          serviceImpl.listSubscriptions((dev.susul.v1.ListSubscriptionsRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.ListSubscriptionsResponse>) responseObserver);
          break;
        case METHODID_UPDATE_SUBSCRIPTION:
          serviceImpl.updateSubscription((dev.susul.v1.UpdateSubscriptionRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.UpdateSubscriptionResponse>) responseObserver);
          break;
        case METHODID_ROTATE_SUBSCRIPTION_SECRET:
          serviceImpl.rotateSubscriptionSecret((dev.susul.v1.RotateSubscriptionSecretRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.RotateSubscriptionSecretResponse>) responseObserver);
          break;
        case METHODID_DELETE_SUBSCRIPTION:
          serviceImpl.deleteSubscription((dev.susul.v1.DeleteSubscriptionRequest) request,
              (io.grpc.stub.StreamObserver<dev.susul.v1.DeleteSubscriptionResponse>) responseObserver);
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
          getReportCallbacksMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ReportCallbacksRequest,
              dev.susul.v1.ReportCallbacksResponse>(
                service, METHODID_REPORT_CALLBACKS)))
        .addMethod(
          getListEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListEventsRequest,
              dev.susul.v1.ListEventsResponse>(
                service, METHODID_LIST_EVENTS)))
        .addMethod(
          getWatchEventsMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.susul.v1.WatchEventsRequest,
              dev.susul.v1.WatchEventsResponse>(
                service, METHODID_WATCH_EVENTS)))
        .addMethod(
          getListHeldCallbacksMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListHeldCallbacksRequest,
              dev.susul.v1.ListHeldCallbacksResponse>(
                service, METHODID_LIST_HELD_CALLBACKS)))
        .addMethod(
          getListRefusedCallbacksMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListRefusedCallbacksRequest,
              dev.susul.v1.ListRefusedCallbacksResponse>(
                service, METHODID_LIST_REFUSED_CALLBACKS)))
        .addMethod(
          getGetPushReportMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetPushReportRequest,
              dev.susul.v1.GetPushReportResponse>(
                service, METHODID_GET_PUSH_REPORT)))
        .addMethod(
          getGetRecipientMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetRecipientRequest,
              dev.susul.v1.GetRecipientResponse>(
                service, METHODID_GET_RECIPIENT)))
        .addMethod(
          getExplainRecipientMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ExplainRecipientRequest,
              dev.susul.v1.ExplainRecipientResponse>(
                service, METHODID_EXPLAIN_RECIPIENT)))
        .addMethod(
          getCreateSubscriptionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.CreateSubscriptionRequest,
              dev.susul.v1.CreateSubscriptionResponse>(
                service, METHODID_CREATE_SUBSCRIPTION)))
        .addMethod(
          getGetSubscriptionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.GetSubscriptionRequest,
              dev.susul.v1.GetSubscriptionResponse>(
                service, METHODID_GET_SUBSCRIPTION)))
        .addMethod(
          getListSubscriptionsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.ListSubscriptionsRequest,
              dev.susul.v1.ListSubscriptionsResponse>(
                service, METHODID_LIST_SUBSCRIPTIONS)))
        .addMethod(
          getUpdateSubscriptionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.UpdateSubscriptionRequest,
              dev.susul.v1.UpdateSubscriptionResponse>(
                service, METHODID_UPDATE_SUBSCRIPTION)))
        .addMethod(
          getRotateSubscriptionSecretMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.RotateSubscriptionSecretRequest,
              dev.susul.v1.RotateSubscriptionSecretResponse>(
                service, METHODID_ROTATE_SUBSCRIPTION_SECRET)))
        .addMethod(
          getDeleteSubscriptionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.susul.v1.DeleteSubscriptionRequest,
              dev.susul.v1.DeleteSubscriptionResponse>(
                service, METHODID_DELETE_SUBSCRIPTION)))
        .build();
  }

  private static abstract class CallbackServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    CallbackServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.susul.v1.CallbackServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("CallbackService");
    }
  }

  private static final class CallbackServiceFileDescriptorSupplier
      extends CallbackServiceBaseDescriptorSupplier {
    CallbackServiceFileDescriptorSupplier() {}
  }

  private static final class CallbackServiceMethodDescriptorSupplier
      extends CallbackServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    CallbackServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (CallbackServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new CallbackServiceFileDescriptorSupplier())
              .addMethod(getReportCallbacksMethod())
              .addMethod(getListEventsMethod())
              .addMethod(getWatchEventsMethod())
              .addMethod(getListHeldCallbacksMethod())
              .addMethod(getListRefusedCallbacksMethod())
              .addMethod(getGetPushReportMethod())
              .addMethod(getGetRecipientMethod())
              .addMethod(getExplainRecipientMethod())
              .addMethod(getCreateSubscriptionMethod())
              .addMethod(getGetSubscriptionMethod())
              .addMethod(getListSubscriptionsMethod())
              .addMethod(getUpdateSubscriptionMethod())
              .addMethod(getRotateSubscriptionSecretMethod())
              .addMethod(getDeleteSubscriptionMethod())
              .build();
        }
      }
    }
    return result;
  }
}
