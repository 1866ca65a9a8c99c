package evenkeel;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One call of the client, with all that came back. */
final class Call extends ClientCall.Listener<byte[]> {
    /** The answer is not what the server owes. */
    static final class Mismatch extends Exception {
        private static final long serialVersionUID = 1L;

        Mismatch(String what) {
            super(what);
        }
    }

    final List<byte[]> answers = new ArrayList<>();
    final CompletableFuture<Call> ended = new CompletableFuture<>();
    final CompletableFuture<Metadata> begun = new CompletableFuture<>();
    final BlockingQueue<byte[]> arrived = new LinkedBlockingQueue<>();
    Metadata headers = new Metadata();
    Metadata trailers = new Metadata();
    Status status = Status.UNKNOWN;
    private final ClientCall<byte[], byte[]> call;

    Call(ManagedChannel channel, MethodDescriptor<byte[], byte[]> method, Metadata given, long deadlineMs) {
        this(channel, method, given, deadlineMs, CallOptions.DEFAULT);
    }

    Call(
            ManagedChannel channel, MethodDescriptor<byte[], byte[]> method, Metadata given, long deadlineMs,
            CallOptions options) {
        call = channel.newCall(method, options.withDeadlineAfter(deadlineMs, TimeUnit.MILLISECONDS));
        call.start(this, given);
        call.request(Integer.MAX_VALUE);
    }

    Call send(byte[] message) {
        call.sendMessage(message);
        return this;
    }

    Call compress(boolean enabled) {
        call.setMessageCompression(enabled);
        return this;
    }

    void cancel() {
        call.cancel("no longer wanted", null);
    }

    Call end() {
        call.halfClose();
        return this;
    }

    @Override
    public void onHeaders(Metadata headers) {
        this.headers = headers;
        begun.complete(headers);
    }

    @Override
    public void onMessage(byte[] message) {
        answers.add(message);
        arrived.add(message);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        this.status = status;
        this.trailers = trailers;
        ended.complete(this);
    }

    /** The server's name, which header and trailer must agree on. */
    String backend() throws Mismatch {
        String first = headers.get(Wire.BACKEND);
        String last = trailers.get(Wire.BACKEND_TRAILER);
        if (first == null || !first.equals(last)) {
            throw new Mismatch("header " + first + ", trailer " + last);
        }
        return first;
    }
}
