"""Processes and what they cost on this machine; the load generator's programs. The proxies and the scenarios ask it."""
import glob
import json
import os
import re
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LG = os.environ.get("LG", os.path.join(HERE, "loadgen", "target", "release", "lg"))
HZ = os.sysconf("SC_CLK_TCK")
CTL, LEAN_CTL = 9000, 9001


class Cpus:
    """Where proxies and loads run; None: anywhere. Each process is a session of its own, which the kernel gives a fair share of
    the CPUs (autogroup), however many threads it has; where threads compete for a CPU they are to be all of one session."""
    proxy = load = None
    sessions = True


def start(argv, cpus=None, user=None, env=None, **kw):
    def pin():
        if cpus:
            os.sched_setaffinity(0, cpus)
    kw.setdefault("stdout", subprocess.DEVNULL)
    kw.setdefault("stderr", subprocess.DEVNULL)
    if user:
        kw.update(user=user, group=user, extra_groups=[])
    return subprocess.Popen(argv, preexec_fn=pin, start_new_session=Cpus.sessions,
                            env={**os.environ, **(env or {})}, **kw)


def end(p):
    """Ends a process of ours, and what it started."""
    pids = tree(p.pid)
    if p.poll() is None:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(4)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    for pid in pids[1:]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def tree(root):
    """The process and all its descendants."""
    kids = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                s = f.read()
        except OSError:
            continue
        ppid = int(s[s.rindex(")") + 2:].split()[1])
        kids.setdefault(ppid, []).append(int(path.split("/")[2]))
    out = [root]
    for p in out:
        out.extend(kids.get(p, []))
    return out


def cpu_s(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                s = f.read()
        except OSError:
            continue
        v = s[s.rindex(")") + 2:].split()
        total += sum(map(int, v[11:15]))
    return total / HZ


def memory_kib(pids):
    """Memory of the processes: resident, their share of it (what they share counted once), private and written to."""
    kib = {"Rss": 0, "Pss": 0, "Private_Dirty": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                text = f.read()
            for k in kib:
                kib[k] += int(re.search(rf"^{k}:\s+(\d+)", text, re.M)[1])
        except (OSError, TypeError):
            pass
    return kib


def memory_mib(pids):
    return memory_kib(pids)["Pss"] / 1024


def kernel_kib():
    """The kernel's own: its slabs, and the buffers of TCP sockets. Of the whole machine."""
    with open("/proc/meminfo") as f:
        slab = int(re.search(r"^Slab:\s+(\d+)", f.read(), re.M)[1])
    with open("/proc/net/sockstat") as f:
        tcp = int(re.search(r"^TCP:.* mem (\d+)", f.read(), re.M)[1])
    return {"Slab": slab, "Tcp": tcp * os.sysconf("SC_PAGE_SIZE") // 1024}


def wait_port(port, secs=15, alive=None, host="127.0.0.1"):
    until = time.time() + secs
    while time.time() < until:
        if alive is not None and alive.poll() is not None:
            return False
        try:
            socket.create_connection((host, port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def counts(ctl=CTL):
    """{port: (connections, requests)} of the backends."""
    with socket.create_connection(("127.0.0.1", ctl), 5) as s:
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]
    return {p: (c, r) for p, c, r in rows}


def run_out(argv, secs, cpus=None, **kw):
    p = start(argv, cpus=cpus or Cpus.load, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    try:
        out, err = p.communicate(timeout=secs + 60)
    except subprocess.TimeoutExpired:
        end(p)
        raise RuntimeError(f"{os.path.basename(argv[0])} did not end")
    if p.returncode != 0:
        raise RuntimeError(f"{os.path.basename(argv[0])}: {(err or out)[-200:]}")
    return out


def quantile(values, q):
    return sorted(values)[min(int(len(values) * q), len(values) - 1)] if values else 0


def lg(verb, port, secs, cpus=None, **kw):
    """A load on one port or on several in turn."""
    ports = port if isinstance(port, list) else [port]
    argv = [LG, verb, "--addr", ",".join(f"127.0.0.1:{p}" for p in ports), "--secs", str(secs)]
    for k, v in kw.items():
        argv += [f"--{k.replace('_', '-')}", str(v)]
    j = json.loads(run_out(argv, secs, cpus=cpus))
    return {"rate": j["rate"], "p50": j["p50_us"], "p99": j["p99_us"], "errors": j["errors"],
            "mib_s": j["mib_s"], "units": j["count"] or None, "load_s": j.get("cpu_s")}
