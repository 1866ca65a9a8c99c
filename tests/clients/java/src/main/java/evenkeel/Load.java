package evenkeel;

import io.grpc.ConnectivityState;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

/** Unary calls on one channel, a fixed number in flight. */
final class Load {
    /** What the command line asks of the client. */
    record Work(
            String target, int calls, double seconds, int concurrency, int delayMs, int deadlineMs, boolean kinds) {}

    private final ManagedChannel channel;
    private final Work work;
    private final long until;
    private final CountDownLatch lanes;
    private boolean stopped;
    private int made;
    private final Map<String, Integer> codes = new TreeMap<>();
    private final Map<String, List<Long>> micros = new TreeMap<>();

    private Load(ManagedChannel channel, Work work) {
        this.channel = channel;
        this.work = work;
        this.until = System.nanoTime() + (long) (work.seconds * 1e9);
        this.lanes = new CountDownLatch(work.concurrency);
    }

    static void run(Work work) throws IOException, InterruptedException {
        int colon = work.target.lastIndexOf(':');
        ManagedChannel channel = NettyChannelBuilder
                .forAddress(
                        work.target.substring(0, colon), Integer.parseInt(work.target.substring(colon + 1)),
                        InsecureChannelCredentials.create())
                .proxyDetector(address -> null)
                .build();
        connect(channel, work);
        Load load = new Load(channel, work);
        Signal.handle(new Signal("TERM"), signal -> load.stop());
        for (int lane = 0; lane < work.concurrency; lane++) {
            load.next();
        }
        load.lanes.await();
        Map<String, Object> report = load.report();
        if (work.kinds) {
            report.put("kinds", new Kinds(channel, work.deadlineMs).run());
        }
        System.out.println(Json.of(report));
        System.out.flush();
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }

    private static void connect(ManagedChannel channel, Work work) throws IOException, InterruptedException {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(work.deadlineMs);
        while (true) {
            ConnectivityState state = channel.getState(true);
            if (state == ConnectivityState.READY) {
                return;
            }
            CountDownLatch changed = new CountDownLatch(1);
            channel.notifyWhenStateChanged(state, changed::countDown);
            if (!changed.await(until - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                throw new IOException("nothing answers at " + work.target);
            }
        }
    }

    /** Makes no more calls; those in flight end. */
    private synchronized void stop() {
        stopped = true;
    }

    private synchronized int another() {
        boolean more = work.seconds > 0 ? System.nanoTime() < until : made < work.calls;
        return more && !stopped ? ++made : 0;
    }

    /** The next call of a lane; each call's end begins the next one on another thread, so nothing recurses. */
    private void next() {
        int number = another();
        if (number == 0) {
            lanes.countDown();
            return;
        }
        Metadata given = new Metadata();
        if (work.delayMs > 0) {
            given.put(Wire.DELAY, Integer.toString(work.delayMs));
        }
        byte[] payload = ("java-" + number).getBytes(StandardCharsets.UTF_8);
        long start = System.nanoTime();
        new Call(channel, Wire.UNARY, given, work.deadlineMs).send(payload).end().ended.thenAcceptAsync(call -> {
            ended(call, payload, (System.nanoTime() - start) / 1000);
            next();
        });
    }

    private synchronized void ended(Call call, byte[] payload, long took) {
        if (call.status.getCode() != Status.Code.OK) {
            codes.merge(call.status.getCode().name(), 1, Integer::sum);
            return;
        }
        try {
            String backend = call.backend();
            if (call.answers.size() != 1 || !Arrays.equals(call.answers.get(0), payload)) {
                throw new Call.Mismatch("payload");
            }
            micros.computeIfAbsent(backend, name -> new ArrayList<>()).add(took);
        } catch (Call.Mismatch error) {
            codes.merge("MISMATCH", 1, Integer::sum);
        }
    }

    private synchronized Map<String, Object> report() {
        List<Long> every = micros.values().stream().flatMap(List::stream).toList();
        Map<String, Object> counts = new TreeMap<>();
        Map<String, Object> slowest = new TreeMap<>();
        micros.forEach((name, list) -> {
            counts.put(name, list.size());
            slowest.put(name, quantile(list, 0.99));
        });
        Map<String, Object> report = new TreeMap<>();
        report.put("calls", made);
        report.put("errors", codes.values().stream().mapToInt(Integer::intValue).sum());
        report.put("error_codes", codes);
        report.put("per_backend", counts);
        report.put("p50_us", quantile(every, 0.50));
        report.put("p99_us", quantile(every, 0.99));
        report.put("p99_us_per_backend", slowest);
        return report;
    }

    private static long quantile(List<Long> values, double share) {
        if (values.isEmpty()) {
            return 0;
        }
        long[] sorted = values.stream().mapToLong(Long::longValue).sorted().toArray();
        return sorted[Math.min(sorted.length - 1, (int) (sorted.length * share))];
    }
}
