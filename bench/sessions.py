"""HTTP/1.1, WebSocket, event streams and TCP by the lean load (`lg talk`, `lg origin`), with and without TLS; idle WebSockets.

What is measured begins when all connections are open and each has done one exchange, so handshakes are not part of it.
Called by bench.py."""
import json
import os
import resource
import subprocess
import time

from http2 import LEAN, med, show, turns, well
from machine import LEAN_CTL, LG, Cpus, counts, cpu_s, end, kernel_kib, memory_kib, start
from proxies import Proxy, Watch, certificate

H1 = [9501 + i for i in range(5)]
WS = [9511 + i for i in range(5)]
TCP = [9521 + i for i in range(5)]
BACKENDS = ["--h1", H1, "--ws", WS, "--tcp", TCP]

# name: (what, kind, backend ports, words for `lg talk`)
ROWS = {
    "s1": ("HTTP/1.1 keep-alive, 64 connections", "h1", H1, {"as": "h1", "conns": 64}),
    "s1h2": ("HTTP/1.1 keep-alive, 64 connections, HTTP/2 backends", "h1h2", LEAN, {"as": "h1", "conns": 64}),
    "s1t": ("HTTP/1.1 keep-alive under TLS 1.3, 64 connections", "h1t", H1, {"as": "h1", "conns": 64}),
    "s4": ("WebSocket ping-pong, 1000 connections, 64 B", "h1", WS, {"as": "ws", "conns": 1000}),
    "s4t": ("WebSocket ping-pong under TLS 1.3, 1000 connections, 64 B", "h1t", WS, {"as": "ws", "conns": 1000}),
    "s5": ("TCP ping-pong, 64 connections, 64 B", "tcp", TCP, {"as": "tcp", "conns": 64}),
    "s5d": ("TCP download, 4 connections", "tcp", TCP, {"as": "bulk", "conns": 4}),
    "s7": ("SSE, 500 streams, an event each 20 ms (rate: events)", "h1", H1, {"as": "sse", "conns": 500, "gap-ms": 20}),
}
# Files that a proxy may hold open while idle WebSockets are measured, two sockets for each of 9,500.
FILES = 20_000


def can_carry(peer, kind):
    """`direct` has neither TLS nor a translation; a kernel's or a relay's bytes are the backends' own."""
    return kind in ("h1", "h2", "tcp", "pg") if peer["name"] == "direct" else kind in peer["kind"]


def client(verb, x, words):
    argv = [LG, verb, "--addr", f"127.0.0.1:{x.port}"]
    for k, v in words.items():
        argv += [f"--{k}", str(v)]
    if x.tls:
        argv += ["--ca", certificate()["CERT"]]
    return start(argv, cpus=Cpus.load, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, text=True)


def said(p):
    """The next line of JSON."""
    line = p.stdout.readline()
    if not line:
        raise RuntimeError("the load ended early")
    return json.loads(line)


def go(p):
    p.stdin.write("go\n")
    p.stdin.flush()


def measure(x, ports, secs, back, words):
    """One row: the load on a proxy that runs."""
    at_first = counts(LEAN_CTL)
    p = client("talk", x, {**words, "secs": secs, "gate": 1})
    try:
        opened = said(p)
        before, backs = counts(LEAN_CTL), cpu_s(back)
        w = Watch(x)
        w.start()
        go(p)
        j = said(p)
        cpu = w.finish()
        backs = cpu_s(back) - backs
        after = counts(LEAN_CTL)
    finally:
        p.stdin.close()
        end(p)
    bulk = words["as"] == "bulk"
    units = j["mib_s"] * j["secs"] if bulk else j["count"]
    # Requests, but connections where a connection is all there is to spread.
    per = [after[k][0] - at_first[k][0] if bulk or words["as"] == "sse" else after[k][1] - before[k][1] for k in ports]
    return {"rate": j["rate"], "p50": j["p50_us"], "p99": j["p99_us"], "mib_s": j["mib_s"], "units": j["count"],
            "errors": j["errors"] + max(0, opened["conns"] - j["conns"]), "per": per,
            "cpu_us": cpu * 1e6 / units if units and x.proc else None, "cores": cpu / j["secs"] if x.proc else None,
            "mem": w.peak if x.proc else None, "load": os.getloadavg()[0],
            "load_us": (backs + j["cpu_s"]) * 1e6 / units if units else None,
            "spread": max(per) / (sum(per) / len(per)) if sum(per) else None}


# --- idle WebSockets ---------------------------------------------------------------

def idle(kind):
    """What a WebSocket costs that says nothing: fresh, and some time after 20 messages. And whether others are as fast beside."""
    def rounds(peers, o):
        conns, back = min(o.idle, 9500), [b.pid for b in o.back]
        files = resource.getrlimit(resource.RLIMIT_NOFILE)

        def one(p):
            x = Proxy(p, kind, WS, o.workers)
            held = None

            def active():
                return measure(x, WS, o.secs, back, {"as": "ws", "conns": 100})

            def cost():
                return {**memory_kib(x.pids()), **kernel_kib()}
            try:
                alone = active()  # what a proxy needs once is there before
                time.sleep(1)
                before = cost()
                held = client("hold", x, {"as": "ws", "conns": conns})
                opened = said(held)
                time.sleep(min(2, o.wait + 1))
                fresh = cost()
                go(held)
                done = said(held)
                busy = cost()
                time.sleep(o.wait)
                after = cost()
                beside = active()
                held.stdin.close()
                last = said(held)
                held.wait(30)

                def each(now):
                    return {k: (now[k] - before[k]) / conns for k in now}
                return {"rate": opened["conns"] / opened["secs"], "units": done["count"], "conns": last["conns"],
                        "wait": o.wait, "tls": x.tls, "fresh": each(fresh), "busy": each(busy), "after": each(after),
                        "errors": last["errors"] + conns - last["conns"] + alone["errors"] + beside["errors"],
                        "alone": alone, "beside": beside, "kept": beside["rate"] / alone["rate"]}
            finally:
                if held:
                    end(held)
                x.stop()
        results = {}
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, files[1]), files[1]))
        try:
            turns([p for p in peers if can_carry(p, kind) and not p.get("kernel")], o.rounds, one, results)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, files)
        return results
    return rounds


def idle_table(results):
    rows = [r for rows in results.values() for r in well(rows)]
    under = "idlewst: under TLS 1.3, " if any(r["tls"] for r in rows) else "idlews: "
    out = [f"\n### {under}{max((r['conns'] for r in rows), default=0)} WebSockets that say nothing, KiB each; fresh, and "
           f"{max((r['wait'] for r in rows), default=0)} s after 20 messages each; 100 active ones alone and beside them\n",
           "| proxy | fresh: RSS | private dirty | after: RSS | private dirty | right after the messages: private dirty "
           "| kernel, both ends: slab fresh | slab after | TCP buffers after | message/s of 100: alone | beside / alone "
           "| CPU us/message: alone | beside | errors |", "|---|" + "---:|" * 13]
    kib = [("fresh", "Rss"), ("fresh", "Private_Dirty"), ("after", "Rss"), ("after", "Private_Dirty"), ("busy", "Private_Dirty"),
           ("fresh", "Slab"), ("after", "Slab"), ("after", "Tcp")]
    for n, rows in results.items():
        if not well(rows):
            out.append(f"| {n} | failed: {rows[0]['failed'][:120]} |")
            continue
        cells = [show(med(rows, *at), "{:.2f}") if n != "direct" or at[1] in ("Slab", "Tcp") else "-" for at in kib]
        cells += [show(med(rows, "alone", "rate")), show(med(rows, "kept"), "{:.2f}")]
        cells += [show(med(rows, when, "cpu_us"), "{:.2f}") for when in ("alone", "beside")]
        out.append(f"| {n} | " + " | ".join(cells) + f" | {sum(r['errors'] for r in well(rows))} |")
    own = results.get("evenkeel", [])
    for at in (("fresh", "Private_Dirty"), ("after", "Private_Dirty")):
        cost = {n: med(rows, *at) for n, rows in results.items() if n not in ("direct", "evenkeel")}
        parts = [f"{med(own, *at) / v:.2f} of {n}" for n, v in cost.items() if v and med(own, *at) is not None]
        if parts:
            out.append(f"\nPrivate memory {at[0]}: " + ", ".join(parts) + ".")
    return "\n".join(out)


# name: (what it does, its table, its kind)
SPECIAL = {"idlews": (idle("h1"), idle_table, "h1"), "idlewst": (idle("h1t"), idle_table, "h1t")}
