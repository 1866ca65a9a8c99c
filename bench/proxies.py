"""The proxies: found, configured from their templates, started, told of more backends, stopped, and their cost watched."""
import atexit
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import tomllib

from machine import HERE, LG, Cpus, cpu_s, end, memory_mib, start, tree, wait_port

PEERS_DIR = os.environ.get("PEERS_DIR", "")
PORT, PGPORT = 8080, 5599
TLS = ("h1t", "h2t")  # kinds under TLS


CERTIFICATE = {}


def certificate():
    """A key and a certificate for `localhost`, made once: {CERT, KEY, PEM (both in one file)}."""
    if not CERTIFICATE:
        folder = tempfile.mkdtemp(prefix="bench-tls-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        paths = {n: os.path.join(folder, n.lower() + ".pem") for n in ("CERT", "KEY", "PEM")}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", paths["KEY"], "-out", paths["CERT"]],
                       check=True, stderr=subprocess.DEVNULL)
        with open(paths["PEM"], "wb") as f:
            for n in ("CERT", "KEY"):
                with open(paths[n], "rb") as part:
                    f.write(part.read())
        CERTIFICATE.update(paths)
    return CERTIFICATE


class Proxy:
    """One peer while it runs: `direct` has neither program nor process."""

    def __init__(self, peer, kind, ports, workers, scales=False, cpus=None, port=PORT):
        self.peer, self.proc = peer, None
        self.port, self.tls = port, kind in TLS
        if peer["name"] == "direct":
            self.port = ports[0]
            return
        self.run = tempfile.mkdtemp(prefix="bench-")
        os.chmod(self.run, 0o777)
        self.words = {
            "PORT": port, "ADMIN": port + 1821, "WORKERS": workers, "RUN": self.run,
            "CFG": os.path.join(self.run, "proxy" + os.path.splitext(peer["kind"][kind])[1]), "PGPORT": PGPORT, "POOL": 16,
            "CONNS": resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 5 // 4,
            "FILES": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "MAXCONN": resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 100,
            "USER": "postgres", "SOCK": os.path.join(self.run, "sock"),
        }
        if self.tls:
            self.words.update(certificate())
        self.kind, self.scale_how = kind, peer.get("scale", {}) if scales else {}
        self.write(ports)
        with open(os.path.join(self.run, "users.txt"), "w") as f:
            f.write('"postgres" "postgres"\n')
        with open(os.path.join(self.run, "users.toml"), "w") as f:
            f.write('[[users]]\nname = "postgres"\ndatabase = "bench"\npassword = "postgres"\n')
        env = {k: self.fill(v) for k, v in peer.get("env", {}).items()}
        log = open(os.path.join(self.run, "log"), "w")
        argv = [peer["path"]] + [self.fill(a) for a in peer["args"]]
        self.proc = start(argv, cpus=cpus or Cpus.proxy, env=env, stdout=log, stderr=log, cwd=self.run)
        if peer.get("kernel"):
            if self.proc.wait() != 0:
                raise RuntimeError(self.give_up())
            self.proc = None
        elif not wait_port(port, alive=self.proc):
            end(self.proc)
            raise RuntimeError("did not listen: " + self.give_up())

    def write(self, ports):
        """Fills the configuration, and the files beside it, for these backends."""
        self.words.update(N=len(ports), MAP=", ".join(f"{i} : {p}" for i, p in enumerate(ports)))
        main = self.scale_how.get("kind", self.peer["kind"])[self.kind]
        for path, template in [(self.words["CFG"], main)] + [
                (os.path.join(self.run, n), t) for n, t in self.scale_how.get("beside", {}).items()]:
            with open(os.path.join(HERE, "peers", template)) as f:
                lines = []
                for line in f:
                    if line.startswith("@each@"):
                        lines += [line[6:].replace("@I@", str(i)).replace("@BPORT@", str(p))
                                  for i, p in enumerate(ports)]
                    else:
                        lines.append(line)
            with open(path + ".new", "w") as f:
                f.write(self.fill("".join(lines)))
            os.rename(path + ".new", path)

    def scale(self, ports, known):
        """Tells the running proxy of more backends, in the way the peer has for it."""
        how = self.scale_how
        if "socket" in how:
            for i, p in list(enumerate(ports))[known:]:
                for line in how["socket"][self.kind]:
                    with socket.socket(socket.AF_UNIX) as s:
                        s.connect(self.words["SOCK"])
                        s.sendall((line.replace("@I@", str(i)).replace("@BPORT@", str(p)) + "\n").encode())
                        s.recv(4096)
            return
        self.write(ports)
        if "signal" in how:
            self.proc.send_signal(signal.Signals[how["signal"]])
        if "run" in how:
            subprocess.run([self.peer["path"]] + [self.fill(a) for a in how["run"]], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def fill(self, text):
        return re.sub(r"@([A-Z]+)@", lambda m: str(self.words.get(m[1], m[0])), text)

    def give_up(self):
        """Clears the run folder; returns the end of what the program said."""
        with open(os.path.join(self.run, "log"), errors="replace") as f:
            text = f.read()[-300:].strip()
        shutil.rmtree(self.run, ignore_errors=True)
        return text

    def pids(self):
        return tree(self.proc.pid) if self.proc else []

    def stop(self):
        if self.proc:
            end(self.proc)
        if self.peer.get("stop"):
            subprocess.run([self.peer["path"]] + self.peer["stop"], check=True)
        if self.peer["name"] != "direct":
            shutil.rmtree(self.run, ignore_errors=True)


class Watch(threading.Thread):
    """The proxy's CPU time over a piece of work, and the most memory seen."""

    def __init__(self, proxy):
        super().__init__(daemon=True)
        self.proxy, self.peak, self.done = proxy, 0, threading.Event()
        self.at_start = cpu_s(proxy.pids())

    def run(self):
        while not self.done.wait(0.5):
            self.peak = max(self.peak, memory_mib(self.proxy.pids()))

    def finish(self):
        self.done.set()
        self.join()
        pids = self.proxy.pids()
        self.peak = max(self.peak, memory_mib(pids))
        return cpu_s(pids) - self.at_start


def find_peers(wanted):
    with open(os.path.join(HERE, "peers", "peers.toml"), "rb") as f:
        peers = tomllib.load(f)["peer"]
    found = [{"name": "direct"}]
    for p in peers:
        p["path"] = LG if p["bin"] == "lg" else shutil.which(p["bin"], path=PEERS_DIR + os.pathsep + os.environ["PATH"])
        if p["path"] and not (p.get("extra") and not wanted):
            found.append(p)
    return [p for p in found if not wanted or p["name"] in wanted]
