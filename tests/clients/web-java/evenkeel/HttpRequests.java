// Requests one after the other on one HttpClient, which keeps its connection.
package evenkeel;

import java.io.ByteArrayInputStream;
import java.io.SequenceInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

final class HttpRequests {
    private static final int LARGE = 4 << 20;

    private final String target;
    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    HttpRequests(String target) {
        this.target = target;
    }

    private interface Kind {
        void run() throws Exception;
    }

    void run(int requests, boolean kinds) {
        Map<String, Integer> perBackend = new TreeMap<>();
        Map<String, Integer> protocols = new TreeMap<>();
        int errors = 0;
        String firstError = "";
        for (int number = 0; number < requests; number++) {
            try {
                HttpResponse<byte[]> answer = one(number);
                perBackend.merge(header(answer, "x-backend"), 1, Integer::sum);
                protocols.merge(header(answer, "x-protocol"), 1, Integer::sum);
            } catch (Exception error) {
                errors++;
                firstError = firstError.isEmpty() ? error.toString() : firstError;
            }
        }
        Map<String, String> told = new TreeMap<>();
        if (kinds) {
            kinds().forEach((name, kind) -> {
                try {
                    kind.run();
                    told.put(name, "ok");
                } catch (Exception error) {
                    told.put(name, "failed: " + error);
                }
            });
        }
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("requests", requests);
        report.put("errors", errors);
        report.put("first_error", firstError);
        report.put("per_backend", perBackend);
        report.put("protocols", protocols);
        report.put("kinds", told);
        Line.say(report);
    }

    private HttpResponse<byte[]> one(int number) throws Exception {
        if (number % 2 == 0) {
            HttpResponse<byte[]> answer = send("GET", "/", BodyPublishers.noBody(), 200);
            same(answer.body(), (header(answer, "x-backend") + "\n").getBytes());
            return answer;
        }
        byte[] body = ("request " + number + " " + "x".repeat(number % 200)).getBytes();
        HttpResponse<byte[]> answer = send("POST", "/echo", BodyPublishers.ofByteArray(body), 200);
        same(answer.body(), body);
        return answer;
    }

    private HttpRequest.Builder ask(String method, String path, BodyPublisher body) {
        return HttpRequest.newBuilder(URI.create(target + path)).method(method, body).timeout(Duration.ofSeconds(20));
    }

    private HttpResponse<byte[]> send(String method, String path, BodyPublisher body, int status) throws Exception {
        return send(client, ask(method, path, body).build(), status);
    }

    private static HttpResponse<byte[]> send(HttpClient client, HttpRequest request, int status) throws Exception {
        HttpResponse<byte[]> answer = client.send(request, BodyHandlers.ofByteArray());
        check(answer.statusCode() == status, "status " + answer.statusCode());
        return answer;
    }

    private static String header(HttpResponse<?> answer, String name) {
        return answer.headers().firstValue(name).orElse("");
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    private static void same(byte[] got, byte[] wanted) {
        check(Arrays.equals(got, wanted), got.length + " bytes came back, not the same");
    }

    private Map<String, Kind> kinds() {
        byte[] large = new byte[LARGE];
        for (int place = 0; place < LARGE; place++) {
            large[place] = (byte) (place % 251);
        }
        Map<String, Kind> kinds = new LinkedHashMap<>();
        kinds.put("head", () -> {
            HttpResponse<byte[]> answer = send("HEAD", "/", BodyPublishers.noBody(), 200);
            check(Integer.parseInt(header(answer, "content-length")) > 0 && answer.body().length == 0, "a body");
        });
        kinds.put("echo", () -> echoed(BodyPublishers.ofString("a body"), "a body".getBytes(), "6"));
        kinds.put("large", () -> echoed(BodyPublishers.ofByteArray(large), large, String.valueOf(LARGE)));
        kinds.put("chunked", () -> echoed(BodyPublishers.ofInputStream(() -> new SequenceInputStream(
            new ByteArrayInputStream("one ".getBytes()), new ByteArrayInputStream("two".getBytes()))),
            "one two".getBytes(), "-1"));
        kinds.put("no_content", () -> status(204));
        kinds.put("not_modified", () -> status(304));
        kinds.put("continue", () -> {
            HttpRequest.Builder request = ask("POST", "/echo", BodyPublishers.ofString("asked first"));
            same(send(client, request.expectContinue(true).build(), 200).body(), "asked first".getBytes());
        });
        kinds.put("h2c_upgrade", this::upgrade);
        return kinds;
    }

    private void echoed(BodyPublisher body, byte[] wanted, String length) throws Exception {
        HttpResponse<byte[]> answer = send("POST", "/echo", body, 200);
        same(answer.body(), wanted);
        check(header(answer, "x-length").equals(length), "arrived with length " + header(answer, "x-length"));
    }

    private void status(int status) throws Exception {
        HttpResponse<byte[]> answer = send("GET", "/status/" + status, BodyPublishers.noBody(), status);
        check(answer.body().length == 0 && header(answer, "etag").equals("\"the-tag\""), "a body or no tag");
    }

    /** A client that asks for h2c by `Upgrade`, as HttpClient does unless told otherwise. A server may go on in HTTP/1.1. */
    private void upgrade() throws Exception {
        HttpClient upgrading = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
        for (int round = 0; round < 20; round++) {
            byte[] body = ("round " + round).getBytes();
            HttpRequest request = ask("POST", "/echo", BodyPublishers.ofByteArray(body)).build();
            HttpResponse<byte[]> answer = send(upgrading, request, 200);
            same(answer.body(), body);
            if (round == 0) {
                Line.say(Map.of("upgraded", answer.version().toString()));
            }
        }
    }
}
