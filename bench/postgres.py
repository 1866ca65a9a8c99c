"""PostgreSQL servers for the rows s6, and pgbench as their load. Called by bench.py."""
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from machine import Cpus, end, quantile, run_out, start, wait_port
from proxies import PGPORT


class Postgres:
    """Two servers with the same data, on 127.0.0.1 and 127.0.0.2."""
    HOSTS = ["127.0.0.1", "127.0.0.2"]

    def __init__(self):
        tool = os.environ.get("PGBIN") or subprocess.check_output(["pg_config", "--bindir"], text=True).strip()
        self.bin = lambda n: os.path.join(tool, n) if os.path.exists(os.path.join(tool, n)) else n
        self.user = "postgres" if os.geteuid() == 0 else None
        self.dir = tempfile.mkdtemp(prefix="bench-pg-")
        if self.user:
            shutil.chown(self.dir, self.user)
        self.procs = []
        for i, host in enumerate(self.HOSTS):
            data = os.path.join(self.dir, str(i))
            self.must([self.bin("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"])
            opts = ["-D", data, "-h", host, "-p", str(PGPORT), "-k", self.dir if i == 0 else "",
                    "-c", "shared_buffers=256MB", "-c", "fsync=off", "-c", "max_connections=300",
                    "-c", "autovacuum=off"]
            self.procs.append(start([self.bin("postgres")] + opts, cpus=Cpus.load, user=self.user, cwd=self.dir))
            if not wait_port(PGPORT, host=host):
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(1)
            self.must([self.bin("createdb"), "-h", host, "-p", str(PGPORT), "-U", "postgres", "bench"])
            self.must([self.bin("pgbench"), "-h", host, "-p", str(PGPORT), "-U", "postgres", "-i", "-s", "5", "-q", "bench"])

    def must(self, argv):
        p = start(argv, user=self.user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.dir)
        out, _ = p.communicate()
        if p.returncode:
            raise RuntimeError(out[-300:])
        return out

    def counts(self):
        time.sleep(1.2)  # a server says its counts with a delay
        out = {}
        for i, host in enumerate(self.HOSTS):
            n = self.must([self.bin("psql"), "-h", host, "-p", str(PGPORT), "-U", "postgres", "-At", "-c",
                           "select idx_scan from pg_stat_user_tables where relname='pgbench_accounts'", "bench"])
            out[i] = (0, int(n))
        return out

    def load(self, port, secs, mode, clients):
        d = tempfile.mkdtemp(dir=self.dir)
        if self.user:
            shutil.chown(d, self.user)
        out = run_out([self.bin("pgbench"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-n", "-S", "-M", mode,
                       "-c", str(clients), "-j", "1", "-T", str(secs), "-l", "bench"], secs,
                      user=self.user, cwd=d, env={"PGPASSWORD": "postgres", "PGSSLMODE": "disable"})
        lat = []
        for path in glob.glob(os.path.join(d, "pgbench_log*")):
            with open(path) as f:
                lat += [int(line.split()[2]) for line in f]
        failed = re.search(r"failed transactions: (\d+)", out)
        shutil.rmtree(d, ignore_errors=True)
        return {"rate": float(re.search(r"tps = ([\d.]+)", out)[1]), "p50": quantile(lat, .5),
                "p99": quantile(lat, .99), "errors": int(failed[1]) if failed else 0, "units": len(lat)}

    def stop(self):
        for p in self.procs:
            p.send_signal(signal.SIGINT)
        for p in self.procs:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                end(p)
        shutil.rmtree(self.dir, ignore_errors=True)
