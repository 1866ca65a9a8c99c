package evenkeel;

import io.grpc.CallOptions;
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
import java.util.concurrent.TimeoutException;

/** Each kind of call once. */
final class Kinds {
    /** A google.rpc.Status: NOT_FOUND, "100% gone", and a detail of type a.test/Why. */
    private static final byte[] DETAILS =
            "\b\005\022\t100% gone\032\021\n\na.test/Why\022\003\000\001\377".getBytes(StandardCharsets.ISO_8859_1);

    /** The largest message that every library takes without being told to. */
    private static final int LARGEST = 4 << 20;

    private interface Kind {
        void run() throws Call.Mismatch, InterruptedException, ExecutionException, TimeoutException;
    }

    private final ManagedChannel channel;
    private final int deadlineMs;

    Kinds(ManagedChannel channel, int deadlineMs) {
        this.channel = channel;
        this.deadlineMs = deadlineMs;
    }

    Map<String, Object> run() throws InterruptedException {
        Map<String, Kind> kinds = Map.ofEntries(
                Map.entry("unary", this::unary),
                Map.entry("server_stream", this::serverStream),
                Map.entry("client_stream", this::clientStream),
                Map.entry("bidi", this::bidi),
                Map.entry("metadata", this::metadata),
                Map.entry("status", this::status),
                Map.entry("details", this::details),
                Map.entry("trailers_only", this::trailersOnly),
                Map.entry("large", this::large),
                Map.entry("gzip", this::gzip),
                Map.entry("deadline", this::deadline),
                Map.entry("cancel", this::cancel));
        Map<String, Object> done = new TreeMap<>();
        for (Map.Entry<String, Kind> kind : kinds.entrySet()) {
            try {
                kind.getValue().run();
                done.put(kind.getKey(), "ok");
            } catch (Call.Mismatch | ExecutionException | TimeoutException error) {
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

    private void details() throws Call.Mismatch, InterruptedException, ExecutionException {
        Metadata given = new Metadata();
        given.put(Wire.FAIL, "NOT_FOUND:100% gone");
        given.put(Wire.DETAILS_BIN, DETAILS);
        Call call = open(Wire.UNARY, given).send(bytes("d")).end().ended.get();
        want(call.status.getCode() == Status.Code.NOT_FOUND, call.status.toString());
        want(Arrays.equals(DETAILS, call.trailers.get(Wire.STATUS_DETAILS_BIN)), "details");
    }

    private void trailersOnly() throws Call.Mismatch, InterruptedException, ExecutionException {
        Metadata given = new Metadata();
        given.put(Wire.TRAILERS_ONLY, "1");
        given.put(Wire.FAIL, "ABORTED:at once");
        Call call = open(Wire.UNARY, given).send(bytes("t")).end().ended.get();
        want(call.status.getCode() == Status.Code.ABORTED, call.status.toString());
        want("at once".equals(call.status.getDescription()), call.status.toString());
        want(!call.headers.containsKey(Wire.BACKEND), "headers " + call.headers);
        want(call.trailers.containsKey(Wire.BACKEND_TRAILER), "trailers " + call.trailers);
    }

    private void large() throws Call.Mismatch, InterruptedException, ExecutionException {
        byte[] sent = new byte[LARGEST];
        for (int at = 0; at < sent.length; at++) {
            sent[at] = (byte) (at % 251);
        }
        Call call = open(Wire.UNARY, new Metadata()).send(sent).end().ended.get();
        want(call.status.isOk(), call.status.toString());
        want(call.answers.size() == 1 && Arrays.equals(sent, call.answers.get(0)), "other bytes");
    }

    /** One message of the stream is compressed and the next one not. */
    private void gzip() throws Call.Mismatch, InterruptedException, ExecutionException {
        Metadata given = new Metadata();
        given.put(Wire.GZIP, "1");
        CallOptions options = CallOptions.DEFAULT.withCompression("gzip");
        Call call = new Call(channel, Wire.BIDI, given, deadlineMs, options);
        String large = "z".repeat(100_000);
        for (String message : new String[] {large, "plain"}) {
            call.compress(message.length() > 1_000).send(bytes(message));
            byte[] answer = call.arrived.poll(deadlineMs, TimeUnit.MILLISECONDS);
            want(answer != null && Arrays.equals(answer, bytes(message)), "not " + message.length() + " bytes");
        }
        wantAll(call.end(), large + "plain");
    }

    private void deadline() throws Call.Mismatch, InterruptedException, ExecutionException {
        Metadata given = slow();
        Call call = new Call(channel, Wire.UNARY, given, 500).send(bytes("late")).end().ended.get();
        want(call.status.getCode() == Status.Code.DEADLINE_EXCEEDED, call.status.toString());
        wantSeen(given);
    }

    private void cancel() throws Call.Mismatch, InterruptedException, ExecutionException, TimeoutException {
        Metadata given = slow();
        Call call = open(Wire.BIDI, given);
        Metadata headers = call.begun.get(deadlineMs, TimeUnit.MILLISECONDS);
        want(headers.containsKey(Wire.BACKEND), "headers " + headers);
        call.cancel();
        call.ended.get();
        want(call.status.getCode() == Status.Code.CANCELLED, call.status.toString());
        wantSeen(given);
    }

    /** Metadata of a call that is not answered, and watched. */
    private static Metadata slow() {
        Metadata given = new Metadata();
        given.put(Wire.WATCH, "java-" + System.nanoTime());
        given.put(Wire.DELAY, "600000");
        return given;
    }

    /** Waits until the server has seen the end of the call with this metadata. */
    private void wantSeen(Metadata given) throws Call.Mismatch, InterruptedException, ExecutionException {
        Call call = open(Wire.CANCELLED, new Metadata()).send(bytes(given.get(Wire.WATCH))).end().ended.get();
        want(call.status.isOk(), "the server did not see it: " + call.status);
    }
}
