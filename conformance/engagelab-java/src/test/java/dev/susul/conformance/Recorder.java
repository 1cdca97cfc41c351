package dev.susul.conformance;

import feign.Client;
import feign.Request;
import feign.Response;
import feign.okhttp.OkHttpClient;
import java.io.IOException;
import java.lang.StackWalker.StackFrame;
import java.lang.invoke.MethodType;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;

/** The SDK's HTTP client, which also notes the methods of the SDK's API that its requests come from. */
final class Recorder implements Client {
    static final String API_PACKAGE = "io.github.engagelab.api";

    private final Client next = new OkHttpClient();
    private final Set<String> methods = new ConcurrentSkipListSet<>();

    @Override
    public Response execute(Request request, Request.Options options) throws IOException {
        StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE).forEach((StackFrame frame) -> {
            if (frame.getDeclaringClass().getPackageName().equals(API_PACKAGE)) {
                methods.add(name(frame.getDeclaringClass(), frame.getMethodName(), frame.getMethodType()));
            }
        });
        return next.execute(request, options);
    }

    Set<String> methods() {
        return methods;
    }

    static String name(Class<?> api, String method, MethodType type) {
        return api.getSimpleName() + "." + method + type;
    }
}
