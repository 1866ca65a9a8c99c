// The cases of a WebSocket session on java.net.http.WebSocket, which has no permessage-deflate.
package evenkeel;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

final class WebSocketCases {
    private static final int DEADLINE_SECONDS = 20;
    private static final int[] CODES = {1000, 1001, 3000, 4999};

    private final String target;
    private final HttpClient client = HttpClient.newHttpClient();

    WebSocketCases(String target) {
        this.target = target;
    }

    private interface Case {
        void run(Consumer<String> see) throws Exception;
    }

    void run() {
        cases().forEach((name, one) -> {
            List<String> saw = new ArrayList<>();
            try {
                one.run(saw::add);
            } catch (Exception error) {
                saw.add("failed: " + error);
            }
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("case", name);
            line.put("saw", saw);
            Line.say(line);
        });
    }

    /** What a session says, in order. */
    private static final class Heard implements WebSocket.Listener {
        private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                byte[] whole = text.toString().getBytes(StandardCharsets.UTF_8);
                heard.add(whole.length <= 100 ? "text:" + text : shown("text", whole));
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer data, boolean last) {
            byte[] part = new byte[data.remaining()];
            data.get(part);
            bytes.writeBytes(part);
            if (last) {
                heard.add(shown("binary", bytes.toByteArray()));
                bytes.reset();
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket socket, ByteBuffer data) {
            heard.add("pong:" + StandardCharsets.UTF_8.decode(data));
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            heard.add("closed:" + code + ":" + reason);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            // An end without a close is an error here, and 1006 by RFC 6455 §7.1.5.
            heard.add("closed:1006:");
        }

        String next() throws InterruptedException {
            String next = heard.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
            return next == null ? "nothing" : next;
        }
    }

    private static String shown(String kind, byte[] data) {
        try {
            byte[] sum = MessageDigest.getInstance("SHA-256").digest(data);
            return kind + ":" + data.length + ":" + HexFormat.of().formatHex(sum, 0, 4);
        } catch (java.security.NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    private record Session(WebSocket socket, Heard heard) {}

    private Session open(String path) throws Exception {
        return open(path, client.newWebSocketBuilder());
    }

    private Session open(String path, WebSocket.Builder builder) throws Exception {
        Heard heard = new Heard();
        URI uri = URI.create(target.replaceFirst("^http", "ws") + path);
        return new Session(builder.buildAsync(uri, heard).get(DEADLINE_SECONDS, TimeUnit.SECONDS), heard);
    }

    private static void send(Session session, Object message) throws Exception {
        var sent = message instanceof String text
            ? session.socket.sendText(text, true)
            : session.socket.sendBinary(ByteBuffer.wrap((byte[]) message), true);
        sent.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    private Case exchange(String path, Object... messages) {
        return see -> {
            Session session = open(path);
            for (Object message : messages) {
                send(session, message);
                see.accept(session.heard.next());
            }
            session.socket.abort();
        };
    }

    private Case clientCloses(Consumer<WebSocket> end) {
        return see -> {
            String key = UUID.randomUUID().toString();
            Session session = open("/ws/watch?key=" + key);
            send(session, "first");
            see.accept(session.heard.next());
            end.accept(session.socket);
            exchange("/ws/seen?key=" + key, "go").run(see);
        };
    }

    private Map<String, Case> cases() {
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("text", exchange("/ws/echo", "hello", "κόσμε 🚀"));
        cases.put("binary", exchange("/ws/echo", (Object) pattern(1000)));
        cases.put("empty_text", exchange("/ws/echo", ""));
        cases.put("empty_binary", exchange("/ws/echo", (Object) new byte[0]));
        cases.put("large_binary", exchange("/ws/echo", (Object) pattern(1 << 20)));
        cases.put("large_text", exchange("/ws/echo", "0123456789abcdef".repeat(1 << 16)));
        cases.put("many", this::many);
        cases.put("fragmented", this::fragmented);
        cases.put("answered_in_fragments", exchange("/ws/fragments", "go"));
        cases.put("ping", this::ping);
        cases.put("pinged", exchange("/ws/ping", "go"));
        cases.put("header", this::header);
        cases.put("subprotocol", this::subprotocol);
        cases.put("server_aborts", exchange("/ws/abort", "go"));
        cases.put("client_aborts", clientCloses(WebSocket::abort));
        cases.put("refused", this::refused);
        for (int code : CODES) {
            cases.put("server_closes_" + code, exchange("/ws/close?code=" + code + "&reason=because+" + code, "go"));
            cases.put("client_closes_" + code, clientCloses(socket -> socket.sendClose(code, "since " + code).join()));
        }
        return cases;
    }

    private static byte[] pattern(int length) {
        byte[] bytes = new byte[length];
        for (int place = 0; place < length; place++) {
            bytes[place] = (byte) (place % 251);
        }
        return bytes;
    }

    private void many(Consumer<String> see) throws Exception {
        Session session = open("/ws/echo");
        for (int number = 0; number < 500; number++) {
            send(session, String.valueOf(number));
        }
        for (int number = 0; number < 500; number++) {
            String heard = session.heard.next();
            if (!heard.equals("text:" + number)) {
                throw new IllegalStateException("message " + number + " is " + heard);
            }
        }
        see.accept("in order:500");
        session.socket.abort();
    }

    private void fragmented(Consumer<String> see) throws Exception {
        Session session = open("/ws/echo");
        session.socket.sendText("a", false).get();
        session.socket.sendText("b", false).get();
        session.socket.sendText("c", true).get();
        see.accept(session.heard.next());
        session.socket.abort();
    }

    private void ping(Consumer<String> see) throws Exception {
        Session session = open("/ws/echo");
        session.socket.sendPing(ByteBuffer.wrap("are you there".getBytes())).get();
        String heard = session.heard.next();
        see.accept(heard.equals("pong:are you there") ? "pong" : heard);
        session.socket.abort();
    }

    private void header(Consumer<String> see) throws Exception {
        Session session = open("/ws/header", client.newWebSocketBuilder().header("x-test", "a value"));
        send(session, "go");
        see.accept(session.heard.next());
        session.socket.abort();
    }

    private void subprotocol(Consumer<String> see) throws Exception {
        Session session = open("/ws/echo", client.newWebSocketBuilder().subprotocols("a.unknown", "b.echo"));
        see.accept("protocol:" + session.socket.getSubprotocol());
        session.socket.abort();
    }

    private void refused(Consumer<String> see) throws Exception {
        try {
            open("/ws/refuse").socket.abort();
            see.accept("not refused");
        } catch (ExecutionException | CompletionException error) {
            if (!(error.getCause() instanceof WebSocketHandshakeException refused)) {
                throw error;
            }
            see.accept("status:" + refused.getResponse().statusCode());
        }
    }
}
