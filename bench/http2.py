"""HTTP/2 by the lean load (`lg drive`, `lg origin`): fixed rates, two workers, idle connections.

The load and the backends together cost a fraction of what any proxy does for a request, so that proxies are what is
measured, with the load on one CPU. Called by bench.py."""
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from machine import LG, Cpus, cpu_s, end, kernel_kib, lg, memory_kib, start, wait_port
from proxies import PORT, Proxy, Watch

LEAN = [9401 + i for i in range(5)]
MANY = [10001 + i for i in range(1000)]
CELLS = [[9411 + i for i in range(5)], [9421 + i for i in range(5)]]
CELL_CTL = [9011, 9012]
WAIT = 30  # seconds that a connection is left alone after its exchanges


def origin(ports, ctl, cpus=None, others=()):
    words = [w if isinstance(w, str) else ",".join(map(str, w)) for w in ["--ports", ports, *others]]
    p = start([LG, "origin", *words, "--ctl", str(ctl)], cpus=cpus or Cpus.load, stderr=None)
    if not wait_port(ctl, alive=p):
        raise RuntimeError("the lean backends did not start")
    return p


def drive(port, secs, conns, streams, cpus=None, **kw):
    return lg("drive", port, secs, cpus=cpus, conns=conns, streams=streams, **kw)


def headers_arrive(peer, workers, ports, shape):
    """Backends that read headers answer 400 if any is missing or cut; the lean ones do not look."""
    x = Proxy(peer, "h2", ports, workers)
    try:
        row = drive(x.port, 1, 4, 10, headers=shape)
        if row["errors"] or not row["units"]:
            raise RuntimeError(f"headers do not arrive: {row['errors']} errors")
    finally:
        x.stop()


def turns(peers, rounds, work, results):
    """Every peer in each round, another one first each time; a round that fails is that peer's own."""
    for r in range(rounds):
        for p in peers[r % len(peers):] + peers[:r % len(peers)]:
            try:
                row = work(p)
            except Exception as e:
                row = {"failed": " ".join(str(e).split())}
                print(f"{p['name']}: {row['failed']}", file=sys.stderr)
            results.setdefault(p["name"], []).append(row)


def well(rows):
    return [r for r in rows if "failed" not in r]


def med(rows, *keys):
    values = []
    for r in well(rows):
        for k in keys:
            r = (r or {}).get(k)
        if r is not None:
            values.append(r)
    return statistics.median(values) if values else None


def show(v, f="{:.0f}"):
    return "-" if v is None else f.format(v)


# --- fixed rates -------------------------------------------------------------

SHARES = (0.1, 0.5)


def fixed_rates(peers, o):
    """First each proxy's maximum; then all at the same rates, parts of the slowest's maximum."""
    def top(p):
        x = Proxy(p, "h2", LEAN, o.workers)
        try:
            drive(x.port, 1, 10, 100)
            return drive(x.port, o.secs, 10, 100)
        finally:
            x.stop()
    tops = {}
    turns(peers, o.rounds, top, tops)
    maxima = {n: med(rows, "rate") for n, rows in tops.items() if well(rows)}
    through = {n: v for n, v in maxima.items() if n != "direct"} or maxima
    slowest = min(through, key=through.get)
    results = {}
    for share in SHARES:
        rate = max(1, int(maxima[slowest] * share))

        def fixed(p):
            x = Proxy(p, "h2", LEAN, o.workers)
            try:
                drive(x.port, 1, 10, 1000, rate=rate)
                return {**drive(x.port, o.secs, 10, 1000, rate=rate), "share": share, "slowest": slowest,
                        "asked": rate, "max": maxima.get(p["name"])}
            finally:
                x.stop()
        turns(peers, o.rounds, fixed, results)
    return results


def fixed_rates_table(results):
    out = []
    for share in SHARES:
        of = {n: [r for r in well(rows) if r["share"] == share] for n, rows in results.items()}
        of = {n: rows for n, rows in of.items() if rows}
        if not of:
            continue
        one = next(iter(of.values()))[0]
        best = {q: min((med(rows, q) for n, rows in of.items() if n not in ("direct", "evenkeel")), default=None)
                for q in ("p50", "p99")}
        out += [f"\n### rate: HTTP/2 unary, 10 connections, {one['asked']} req/s: {share:.0%} of the maximum of {one['slowest']}\n",
                "| proxy | max req/s | p50 us | p99 us | p50 / best peer | p99 / best peer | errors |",
                "|---|---:|---:|---:|---:|---:|---:|"]
        for n, rows in of.items():
            v = {q: med(rows, q) for q in best}
            part = [show(v[q] / best[q], "{:.2f}") if best[q] else "-" for q in best]
            out.append(f"| {n} | {show(rows[0]['max'])} | {v['p50']:.0f} | {v['p99']:.0f} | {part[0]} | {part[1]} "
                       f"| {sum(r['errors'] for r in rows)} |")
    return "\n".join(out)


# --- two workers ---------------------------------------------------------------

def two_workers(peers, o):
    """Three layouts: `one`, a worker, a load and backends on one CPU. `two`, a process of two workers on two CPUs, with twice
    the loads and backends. `apart`, the same with two processes of one worker each, and every load on both. Nothing is left
    idle in any. `apart` is what two workers would carry that share nothing, so two over apart, times two, is by how
    much two workers carry more than one; two over one also holds what talking from CPU to CPU costs, which neither has
    on one CPU."""
    cpus = (sorted(os.sched_getaffinity(0)) * 2)[:2]  # with one CPU it runs, and says nothing

    def layout(p, n, workers):
        started, proxies = [], []
        try:
            # Ten backends in each: on one CPU all in one process.
            for i in range(n):
                ports = CELLS[i] if n == 2 else CELLS[0] + CELLS[1]
                started.append(origin(ports, CELL_CTL[i], {cpus[i]}))
            for i in range(n // workers):
                proxies.append(Proxy(p, "h2", CELLS[0] + CELLS[1], workers, cpus=set(cpus[:n]), port=PORT + i))
            at = [x.port for x in proxies]

            def load(secs):
                with ThreadPoolExecutor() as pool:
                    return list(pool.map(lambda cpu: drive(at, secs, 10, 100, cpus={cpu}), cpus[:n]))
            load(1)
            backs = [b.pid for b in started]
            before = cpu_s(backs)
            watches = [Watch(x) for x in proxies]
            [w.start() for w in watches]
            rows = load(o.secs)
            cpu = sum(w.finish() for w in watches)
            around = cpu_s(backs) - before + sum(r["load_s"] for r in rows)
            units = sum(r["units"] or 0 for r in rows)
            return {"rate": sum(r["rate"] for r in rows), "errors": sum(r["errors"] for r in rows),
                    "cpu_us": cpu * 1e6 / units, "load_us": around * 1e6 / units}
        finally:
            for x in proxies:
                x.stop()
            for b in started:
                end(b)

    def all_three(p):
        row = {"one": layout(p, 1, 1), "apart": layout(p, 2, 1), "two": layout(p, 2, 2)}
        rate = {k: v["rate"] for k, v in row.items()}
        return {**row, "rate": rate["two"], "errors": sum(v["errors"] for v in row.values()),
                "over_one": rate["two"] / rate["one"], "over_apart": 2 * rate["two"] / rate["apart"],
                "by_cpu": 2 * row["apart"]["cpu_us"] / row["two"]["cpu_us"]}
    results = {}
    Cpus.sessions = False
    try:
        turns([p for p in peers if p["name"] != "direct" and not p.get("kernel")], o.rounds, all_three, results)
    finally:
        Cpus.sessions = True
    return results


def two_workers_table(results):
    out = ["\n### workers: HTTP/2 unary, each load 10 connections x 100 streams, 10 backends (see README)\n",
           "| proxy | req/s: one worker, one CPU | two processes, two CPUs | two workers, two CPUs | two workers / one "
           "| 2 x two workers / two processes | the same by CPU time | CPU us/req: one | two processes | two workers | load us/req: one | two workers | errors |",
           "|---|" + "---:|" * 12]
    for n, rows in results.items():
        if not well(rows):
            out.append(f"| {n} | failed: {rows[0]['failed'][:120]} |")
            continue
        layouts = ("one", "apart", "two")
        cells = [show(med(rows, k, "rate")) for k in layouts]
        cells += [show(med(rows, k), "{:.2f}") for k in ("over_one", "over_apart", "by_cpu")]
        cells += [show(med(rows, k, "cpu_us"), "{:.2f}") for k in layouts]
        cells += [show(med(rows, k, "load_us"), "{:.2f}") for k in ("one", "two")]
        out.append(f"| {n} | " + " | ".join(cells) + f" | {sum(r['errors'] for r in well(rows))} |")
    return "\n".join(out)


# --- idle connections ------------------------------------------------------------

def idle(peers, o):
    """What a connection that says nothing costs: after its SETTINGS, and again some time after it did 20 exchanges."""
    conns = min(o.idle, 9500)

    def one(p):
        x = Proxy(p, "h2", LEAN, o.workers)
        held = None
        try:
            drive(x.port, 1, 10, 10)  # what a proxy needs once is there before
            time.sleep(1)

            def cost():
                return {**(memory_kib(x.pids())), **kernel_kib()}
            before = cost()
            held = start([LG, "park", "--addr", f"127.0.0.1:{x.port}", "--conns", str(conns), "--headers", "go"],
                         cpus=Cpus.load, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            opened = json.loads(held.stdout.readline())
            time.sleep(min(2, o.wait + 1))
            fresh = cost()
            held.stdin.write("go\n")
            held.stdin.flush()
            done = json.loads(held.stdout.readline())
            busy = cost()
            time.sleep(o.wait)
            after = cost()
            held.stdin.close()
            last = json.loads(held.stdout.readline())
            held.wait(30)

            def each(now):
                return {k: (now[k] - before[k]) / conns for k in now}
            return {"rate": opened["conns"] / opened["secs"], "units": done["count"], "conns": last["conns"],
                    "wait": o.wait,
                    "errors": last["errors"] + conns - last["conns"],
                    "fresh": each(fresh), "busy": each(busy), "after": each(after)}
        finally:
            if held:
                end(held)
            x.stop()
    results = {}
    turns([p for p in peers if not p.get("kernel")], o.rounds, one, results)
    return results


def idle_table(results):
    rows = [r for rows in results.values() for r in well(rows)]
    out = [f"\n### idle: {max((r['conns'] for r in rows), default=0)} HTTP/2 connections that say nothing, KiB each; fresh, and "
           f"{max((r['wait'] for r in rows), default=0)} s after "
           "20 exchanges each\n",
           "| proxy | fresh: RSS | private dirty | after: RSS | private dirty | right after the exchanges: private dirty "
           "| kernel, both ends: slab fresh | slab after | TCP buffers after | errors |", "|---|" + "---:|" * 9]
    for n, rows in results.items():
        if not well(rows):
            out.append(f"| {n} | failed: {rows[0]['failed'][:120]} |")
            continue
        cells = [show(med(rows, when, what), "{:.2f}") if n != "direct" or what in ("Slab", "Tcp") else "-" for when, what in [
            ("fresh", "Rss"), ("fresh", "Private_Dirty"), ("after", "Rss"), ("after", "Private_Dirty"), ("busy", "Private_Dirty"),
            ("fresh", "Slab"), ("after", "Slab"), ("after", "Tcp")]]
        out.append(f"| {n} | " + " | ".join(cells) + f" | {sum(r['errors'] for r in well(rows))} |")
    return "\n".join(out)


# name: (what it does, its table, its kind)
SPECIAL = {"rate": (fixed_rates, fixed_rates_table, "h2"), "workers": (two_workers, two_workers_table, "h2"),
           "idle": (idle, idle_table, "h2")}
