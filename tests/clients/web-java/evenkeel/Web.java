// HTTP and WebSocket clients on the JDK's own java.net.http; ../../WEB.md says what each owes.
package evenkeel;

import java.util.HashMap;
import java.util.Map;

public final class Web {
    private Web() {}

    public static void main(String[] words) {
        try {
            Map<String, String> options = new HashMap<>();
            for (int place = 1; place < words.length; place++) {
                if (words[place].equals("--kinds")) {
                    options.put("--kinds", "");
                } else {
                    options.put(words[place], words[++place]);
                }
            }
            String target = options.get("--target");
            switch (words[0]) {
                case "http" -> new HttpRequests(target).run(
                    Integer.parseInt(options.getOrDefault("--requests", "0")), options.containsKey("--kinds"));
                case "websocket" -> new WebSocketCases(target).run();
                default -> throw new IllegalArgumentException("http or websocket, not " + words[0]);
            }
            System.exit(0);
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(2);
        }
    }
}
