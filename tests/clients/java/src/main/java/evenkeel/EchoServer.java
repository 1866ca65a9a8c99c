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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

/** The server: four methods; every answer bears the server's name. */
final class EchoServer {
    private final String name;
    private final int delayMs;
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

    private ServerServiceDefinition methods() {
        return ServerServiceDefinition.builder(Wire.SERVICE)
                .addMethod(Wire.UNARY, handler(Answer.SAME))
                .addMethod(Wire.SERVER_STREAM, handler(Answer.MANY))
                .addMethod(Wire.CLIENT_STREAM, handler(Answer.JOINED))
                .addMethod(Wire.BIDI, handler(Answer.EACH))
                .build();
    }

    /** What a method does with the requests. */
    private enum Answer { SAME, MANY, JOINED, EACH }

    private ServerCallHandler<byte[], byte[]> handler(Answer answer) {
        return (call, given) -> {
            Exchange exchange = new Exchange(call, given, answer);
            exchange.begin();
            return exchange;
        };
    }

    /** One call. Requests that come before its delay is over wait unread: nothing is asked of the client until then. */
    private final class Exchange extends ServerCall.Listener<byte[]> {
        private final ServerCall<byte[], byte[]> call;
        private final Metadata given;
        private final Answer answer;
        private final Metadata trailers = new Metadata();
        private final ByteArrayOutputStream joined = new ByteArrayOutputStream();

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
        }

        void begin() {
            Metadata headers = new Metadata();
            headers.put(Wire.BACKEND, name);
            call.sendHeaders(headers);
            String asked = given.get(Wire.DELAY);
            int delay = asked == null ? delayMs : Integer.parseInt(asked);
            if (delay > 0) {
                timer.schedule(this::proceed, delay, TimeUnit.MILLISECONDS);
            } else {
                proceed();
            }
        }

        private void proceed() {
            String fail = given.get(Wire.FAIL);
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
                case SAME, EACH -> call.sendMessage(message);
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
        public void onHalfClose() {
            if (answer == Answer.JOINED) {
                call.sendMessage(joined.toByteArray());
            }
            call.close(Status.OK, trailers);
        }
    }
}
