package evenkeel;

import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Each kind of call once. */
final class Kinds {
    private interface Kind {
        void run() throws Call.Mismatch, InterruptedException, ExecutionException;
    }

    private final ManagedChannel channel;
    private final int deadlineMs;

    Kinds(ManagedChannel channel, int deadlineMs) {
        this.channel = channel;
        this.deadlineMs = deadlineMs;
    }

    Map<String, Object> run() throws InterruptedException {
        Map<String, Kind> kinds = Map.of(
                "unary", this::unary,
                "server_stream", this::serverStream,
                "client_stream", this::clientStream,
                "bidi", this::bidi,
                "metadata", this::metadata,
                "status", this::status);
        Map<String, Object> done = new TreeMap<>();
        for (Map.Entry<String, Kind> kind : kinds.entrySet()) {
            try {
                kind.getValue().run();
                done.put(kind.getKey(), "ok");
            } catch (Call.Mismatch | ExecutionException error) {
                done.put(kind.getKey(), "failed: " + error.getMessage());
            }
        }
        return done;
    }

    private Call open(MethodDescriptor<byte[], byte[]> method, Metadata given) {
        return new Call(channel, method, given, deadlineMs);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void want(boolean well, String what) throws Call.Mismatch {
        if (!well) {
            throw new Call.Mismatch(what);
        }
    }

    /** Waits for the end, which must be OK, bear the server's name and bring just these bytes. */
    private static Call wantAll(Call call, String wanted)
            throws Call.Mismatch, InterruptedException, ExecutionException {
        call.ended.get();
        want(call.status.isOk(), call.status.toString());
        call.backend();
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        call.answers.forEach(joined::writeBytes);
        want(Arrays.equals(joined.toByteArray(), bytes(wanted)), joined.size() + " bytes: " + joined);
        return call;
    }

    private void unary() throws Call.Mismatch, InterruptedException, ExecutionException {
        wantAll(open(Wire.UNARY, new Metadata()).send(bytes("one")).end(), "one");
    }

    private void serverStream() throws Call.Mismatch, InterruptedException, ExecutionException {
        Metadata given = new Metadata();
        given.put(Wire.COUNT, "7");
        Call call = wantAll(open(Wire.SERVER_STREAM, given).send(bytes("many")).end(), "many".repeat(7));
        want(call.answers.size() == 7, call.answers.size() + " messages");
    }

    private void clientStream() throws Call.Mismatch, InterruptedException, ExecutionException {
        Call call = open(Wire.CLIENT_STREAM, new Metadata());
        wantAll(call.send(bytes("a")).send(bytes("")).send(bytes("bc")).end(), "abc");
    }

    private void bidi() throws Call.Mismatch, InterruptedException, ExecutionException {
        Call call = open(Wire.BIDI, new Metadata());
        String large = "x".repeat(70_000);
        for (String message : new String[] {"ping", "", large}) {
            call.send(bytes(message));
            byte[] answer = call.arrived.poll(deadlineMs, TimeUnit.MILLISECONDS);
            want(answer != null && Arrays.equals(answer, bytes(message)), "not " + message.length() + " bytes");
        }
        wantAll(call.end(), "ping" + large);
    }

    private void metadata() throws Call.Mismatch, InterruptedException, ExecutionException {
        byte[] binary = new byte[256];
        for (int i = 0; i < binary.length; i++) {
            binary[i] = (byte) i;
        }
        Metadata given = new Metadata();
        given.put(Wire.ECHO, "some text");
        given.put(Wire.ECHO_BIN, binary);
        Call call = wantAll(open(Wire.UNARY, given).send(bytes("m")).end(), "m");
        want("some text".equals(call.trailers.get(Wire.ECHO)), "x-echo " + call.trailers.get(Wire.ECHO));
        want(Arrays.equals(binary, call.trailers.get(Wire.ECHO_BIN)), "x-echo-bin");
    }

    private void status() throws Call.Mismatch, InterruptedException, ExecutionException {
        Metadata given = new Metadata();
        given.put(Wire.FAIL, "NOT_FOUND:100% gone");
        Call call = open(Wire.UNARY, given).send(bytes("s")).end();
        call.ended.get();
        want(call.status.getCode() == Status.Code.NOT_FOUND, call.status.toString());
        want("100% gone".equals(call.status.getDescription()), call.status.toString());
    }
}
