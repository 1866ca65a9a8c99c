"""What was measured, as tables in Markdown. Called by bench.py; rows that are no scenario have tables of their own."""
import statistics

from http2 import med, show, well

MESSAGES = {n: "message/s" for n in ("s4", "s4t", "s5")}


def scaled_out(name, what, results):
    """The rows s8: when new backends get their share."""
    out = [f"\n### {name}: {what}\n",
           "| proxy | req/s | share of the new two (fair: 0.40) | seconds until >= 0.36 | errors |",
           "|---|---:|---:|---:|---:|"]
    for peer, rows in results.items():
        good = well(rows)
        if not good:
            out.append(f"| {peer} | failed: {rows[0]['failed'][:120]} |")
            continue
        late = show(med(good, "fair_s"), "{:.1f}") if sum(r["fair_s"] is not None for r in good) * 2 > len(good) else "never"
        out.append(f"| {peer} | {show(med(good, 'rate'))} | {show(med(good, 'share'), '{:.2f}')} | {late} | {show(med(good, 'errors'))} |")
    return "\n".join(out)


def table(name, what, results):
    """One scenario: the medians of each proxy's rounds, and Evenkeel's over each other's."""
    if name.startswith("s8"):
        return scaled_out(name, what, results)
    memory = "KiB/conn" if name == "s4i" else "mem MiB"
    unit = {"s5d": "MiB/s", "s4i": "conn/s", "s7": "event/s", **MESSAGES}.get(name, "req/s")
    cpu = {"s5d": "CPU us/MiB", "s4i": "CPU us/conn", "s7": "CPU us/event"}.get(name, "CPU us/message" if name in MESSAGES else "CPU us/req")
    lean = any(r.get("load_us") is not None for rows in results.values() for r in rows)
    out = [f"\n### {name}: {what}\n",
           f"| proxy | {unit} | p50 us | p99 us | {cpu} | cores | {memory} | spread max/mean | backends used | errors |"
           + (f" {cpu.replace('CPU', 'load')} |" if lean else ""), "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|" + ("---:|" if lean else "")]
    for peer, rows in results.items():
        bad = [r for r in rows if "failed" in r]
        rows = well(rows)
        if not rows:
            out.append(f"| {peer} | failed: {bad[0]['failed'][:120] if bad else '?'} |")
            continue
        used = statistics.median(sum(1 for n in r["per"] if n) for r in rows)
        out.append("| " + " | ".join([
            peer, show(med(rows, "mib_s" if name == "s5d" else "rate")), show(med(rows, "p50") or None), show(med(rows, "p99") or None),
            show(med(rows, "cpu_us"), "{:.2f}" if lean else "{:.1f}"), show(med(rows, "cores"), "{:.2f}"),
            show(med(rows, "kib_conn" if name == "s4i" else "mem"), "{:.1f}"), show(med(rows, "spread"), "{:.2f}"),
            f"{used:.0f}/{len(rows[0]['per'])}", show(med(rows, "errors")) + (f" ({len(bad)} rounds failed)" if bad else "")]
            + ([show(med(rows, "load_us"), "{:.2f}")] if lean else [])) + " |")
    for label, key in [("CPU time of a request", "cpu_us"), ("Delay, median", "p50"), ("Delay, 99th percentile", "p99")]:
        cost = {peer: med(rows, key) for peer, rows in results.items() if peer != "direct"}
        own = cost.pop("evenkeel", None)
        ratios = [f"{own / v:.2f} of {peer}" for peer, v in cost.items() if own and v]
        if ratios and (key == "cpu_us" or name == "s7"):
            out.append(f"\n{label}: " + ", ".join(ratios) + ".")
    return "\n".join(out)
