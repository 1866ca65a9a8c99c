package evenkeel;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/** What client and server agree on: the methods, whose messages are bytes, and the names of the metadata. */
final class Wire {
    static final String SERVICE = "evenkeel.test.Echo";

    private static final Raw RAW = new Raw(); // before the methods, which are made with it

    static final MethodDescriptor<byte[], byte[]> UNARY = method("Unary", MethodType.UNARY);
    static final MethodDescriptor<byte[], byte[]> SERVER_STREAM = method("ServerStream", MethodType.SERVER_STREAMING);
    static final MethodDescriptor<byte[], byte[]> CLIENT_STREAM = method("ClientStream", MethodType.CLIENT_STREAMING);
    static final MethodDescriptor<byte[], byte[]> BIDI = method("Bidi", MethodType.BIDI_STREAMING);
    static final MethodDescriptor<byte[], byte[]> CANCELLED = method("Cancelled", MethodType.UNARY);

    static final Metadata.Key<String> BACKEND = text("x-backend");
    static final Metadata.Key<String> BACKEND_TRAILER = text("x-backend-trailer");
    static final Metadata.Key<String> DELAY = text("x-delay-ms");
    static final Metadata.Key<String> COUNT = text("x-count");
    static final Metadata.Key<String> FAIL = text("x-fail");
    static final Metadata.Key<String> GZIP = text("x-gzip");
    static final Metadata.Key<String> TRAILERS_ONLY = text("x-trailers-only");
    static final Metadata.Key<String> WATCH = text("x-watch");
    static final Metadata.Key<String> ECHO = text("x-echo");
    static final Metadata.Key<byte[]> ECHO_BIN = binary("x-echo-bin");
    static final Metadata.Key<byte[]> DETAILS_BIN = binary("x-details-bin");
    static final Metadata.Key<byte[]> STATUS_DETAILS_BIN = binary("grpc-status-details-bin");

    private Wire() {}

    private static Metadata.Key<String> text(String name) {
        return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    }

    private static Metadata.Key<byte[]> binary(String name) {
        return Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
    }

    private static MethodDescriptor<byte[], byte[]> method(String name, MethodType type) {
        return MethodDescriptor.<byte[], byte[]>newBuilder(RAW, RAW)
                .setType(type)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
                .build();
    }

    private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] message) {
            return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }
}
