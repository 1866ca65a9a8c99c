package evenkeel;

import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

/** The server: the methods of the service; every answer bears the server's name. */
final class EchoServer {
    private final String name;
    private final int delayMs;
    private final Map<String, CompletableFuture<Void>> watched = new ConcurrentHashMap<>();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();

    private EchoServer(String name, int delayMs) {
        this.name = name;
        this.delayMs = delayMs;
    }

    static void serve(int port, String name, int delayMs) throws IOException, InterruptedException {
        EchoServer echo = new EchoServer(name, delayMs);
        Server server = NettyServerBuilder
                .forAddress(new InetSocketAddress("127.0.0.1", port), InsecureServerCredentials.create())
                .addService(echo.methods())
                .build()
                .start();
        CountDownLatch terminate = new CountDownLatch(1);
        Signal.handle(new Signal("TERM"), signal -> terminate.countDown());
        System.out.println("READY " + server.getPort());
        System.out.flush();
        terminate.await();
        server.shutdown().awaitTermination(30, TimeUnit.SECONDS);
    }

    /** Done once the watched call of this key has been cancelled; made by whoever comes first. */
    private CompletableFuture<Void> watch(String key) {
        return watched.computeIfAbsent(key, name -> new CompletableFuture<>());
    }

    private ServerServiceDefinition methods() {
        return ServerServiceDefinition.builder(Wire.SERVICE)
                .addMethod(Wire.UNARY, handler(Answer.SAME))
                .addMethod(Wire.SERVER_STREAM, handler(Answer.MANY))
                .addMethod(Wire.CLIENT_STREAM, handler(Answer.JOINED))
                .addMethod(Wire.BIDI, handler(Answer.EACH))
                .addMethod(Wire.CANCELLED, handler(Answer.ONCE_CANCELLED))
                .build();
    }

    /** What a method does with the requests. */
    private enum Answer { SAME, MANY, JOINED, EACH, ONCE_CANCELLED }

    private ServerCallHandler<byte[], byte[]> handler(Answer answer) {
        return (call, given) -> {
            Exchange exchange = new Exchange(call, given, answer);
            exchange.begin();
            return exchange;
        };
    }

    /**
     * One call. Requests that come before its delay is over wait unread: nothing is asked of the client until then. The end of
     * the requests comes unasked and is kept.
     */
    private final class Exchange extends ServerCall.Listener<byte[]> {
        private final ServerCall<byte[], byte[]> call;
        private final Metadata given;
        private final Answer answer;
        private final Metadata trailers = new Metadata();
        private final ByteArrayOutputStream joined = new ByteArrayOutputStream();
        private boolean waited;
        private boolean ended;

        Exchange(ServerCall<byte[], byte[]> call, Metadata given, Answer answer) {
            this.call = call;
            this.given = given;
            this.answer = answer;
            trailers.put(Wire.BACKEND_TRAILER, name);
            if (given.containsKey(Wire.ECHO)) {
                trailers.put(Wire.ECHO, given.get(Wire.ECHO));
            }
            if (given.containsKey(Wire.ECHO_BIN)) {
                trailers.put(Wire.ECHO_BIN, given.get(Wire.ECHO_BIN));
            }
            if (given.containsKey(Wire.DETAILS_BIN)) {
                trailers.put(Wire.STATUS_DETAILS_BIN, given.get(Wire.DETAILS_BIN));
            }
        }

        void begin() {
            Metadata headers = new Metadata();
            headers.put(Wire.BACKEND, name);
            if (given.containsKey(Wire.GZIP)) {
                call.setCompression("gzip");
            }
            if (!given.containsKey(Wire.TRAILERS_ONLY)) {
                call.sendHeaders(headers);
            }
            String asked = given.get(Wire.DELAY);
            int delay = asked == null ? delayMs : Integer.parseInt(asked);
            if (delay > 0) {
                timer.schedule(this::proceed, delay, TimeUnit.MILLISECONDS);
            } else {
                proceed();
            }
        }

        private synchronized void proceed() {
            waited = true;
            String fail = given.get(Wire.FAIL);
            if (fail == null && ended) {
                finish();
                return;
            }
            if (fail == null) {
                call.request(1);
                return;
            }
            int colon = fail.indexOf(':');
            Status status = Status.Code.valueOf(fail.substring(0, colon)).toStatus();
            call.close(status.withDescription(fail.substring(colon + 1)), trailers);
        }

        @Override
        public void onMessage(byte[] message) {
            switch (answer) {
                case SAME -> call.sendMessage(message);
                case EACH -> {
                    // One message of a stream may be compressed and the next one not.
                    call.setMessageCompression(message.length > 1_000);
                    call.sendMessage(message);
                }
                case ONCE_CANCELLED -> watch(new String(message, StandardCharsets.UTF_8)).thenRun(() -> {
                    call.sendMessage(message);
                    call.close(Status.OK, trailers);
                });
                case MANY -> {
                    String count = given.get(Wire.COUNT);
                    for (int left = count == null ? 5 : Integer.parseInt(count); left > 0; left--) {
                        call.sendMessage(message);
                    }
                }
                case JOINED -> joined.writeBytes(message);
                default -> throw new IllegalStateException("no such answer: " + answer);
            }
            call.request(1);
        }

        @Override
        public synchronized void onHalfClose() {
            ended = true;
            if (waited && !given.containsKey(Wire.FAIL)) {
                finish();
            }
        }

        private void finish() {
            if (answer == Answer.JOINED) {
                call.sendMessage(joined.toByteArray());
            }
            if (answer != Answer.ONCE_CANCELLED) {
                call.close(Status.OK, trailers);
            }
        }

        @Override
        public void onCancel() {
            if (given.containsKey(Wire.WATCH)) {
                watch(given.get(Wire.WATCH)).complete(null);
            }
        }
    }
}
