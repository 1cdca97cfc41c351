export { CallbackError, verifyCallback } from "./callbacks.js";
export type { CallbackFault, CallbackHeaders, CallbackRow, VerifyOptions } from "./callbacks.js";
export { connect, Susul } from "./client.js";
export type { ConnectOptions, Credentials, TLSOptions } from "./client.js";
export { SusulError } from "./errors.js";
export type { FieldViolation, Reason } from "./errors.js";
export { pages } from "./pages.js";
export type { ItemOf } from "./pages.js";
export { value } from "./value.js";
export type { WatchOptions } from "./watch.js";

export { Code } from "@connectrpc/connect";
export type { CallOptions, Interceptor } from "@connectrpc/connect";

export * from "./gen/susul/v1/callback_service_pb.js";
export * from "./gen/susul/v1/device_service_pb.js";
export * from "./gen/susul/v1/errors_pb.js";
export * from "./gen/susul/v1/event_pb.js";
export * from "./gen/susul/v1/explanation_pb.js";
export * from "./gen/susul/v1/push_pb.js";
export * from "./gen/susul/v1/push_service_pb.js";
export * from "./gen/susul/v1/relay_pb.js";
export * from "./gen/susul/v1/relay_service_pb.js";
export * from "./gen/susul/v1/report_pb.js";
export * from "./gen/susul/v1/resend_policy_pb.js";
export * from "./gen/susul/v1/resend_policy_service_pb.js";
export * from "./gen/susul/v1/subscription_pb.js";
export * from "./gen/susul/v1/suspicious_callback_pb.js";
