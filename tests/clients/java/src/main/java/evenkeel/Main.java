package evenkeel;

import java.util.HashMap;
import java.util.Map;

/** A gRPC echo server and client on grpc-java; the README beside says what both owe. */
public final class Main {
    private Main() {}

    public static void main(String[] words) {
        try {
            Map<String, String> given = read(words);
            switch (words[0]) {
                case "server" -> EchoServer.serve(
                        number(given, "port", 0), required(given, "name"), number(given, "delay-ms", 0));
                case "client" -> Load.run(new Load.Work(
                        required(given, "target"), number(given, "calls", 0), seconds(given),
                        number(given, "concurrency", 1), number(given, "delay-ms", 0),
                        number(given, "deadline-ms", 10_000), given.containsKey("kinds")));
                default -> throw new IllegalArgumentException("server or client, not " + words[0]);
            }
            System.exit(0);
        } catch (Exception error) {
            System.err.println(error.getMessage());
            System.exit(2);
        }
    }

    private static Map<String, String> read(String[] words) {
        if (words.length == 0) {
            throw new IllegalArgumentException("server or client?");
        }
        Map<String, String> given = new HashMap<>();
        for (int i = 1; i < words.length; i++) {
            if (!words[i].startsWith("--")) {
                throw new IllegalArgumentException("not an option: " + words[i]);
            }
            String name = words[i].substring(2);
            if (name.equals("kinds")) {
                given.put(name, "");
            } else if (i + 1 < words.length) {
                given.put(name, words[++i]);
            } else {
                throw new IllegalArgumentException("no value: " + words[i]);
            }
        }
        return given;
    }

    private static String required(Map<String, String> given, String name) {
        if (!given.containsKey(name)) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return given.get(name);
    }

    private static int number(Map<String, String> given, String name, int otherwise) {
        return given.containsKey(name) ? Integer.parseInt(given.get(name)) : otherwise;
    }

    private static double seconds(Map<String, String> given) {
        return given.containsKey("seconds") ? Double.parseDouble(given.get("seconds")) : 0;
    }
}
