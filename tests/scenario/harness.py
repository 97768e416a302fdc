"""What scenarios are made of: Sluis itself, real and scripted web servers, and a client that sends exactly the
bytes it is told. Every wait is for a condition, every port is a free one, every process is ended by its id."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

import yaml

import left_behind

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUIS_BUILD", os.path.join(ROOT, "build-test"))
RELEASE = os.environ.get("SLUIS_RELEASE_BUILD", os.path.join(ROOT, "build"))  # where memory is measured
PATIENCE = 60  # seconds: how long a condition may take before it counts as never
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer")


def wait_for(condition, what, seconds=PATIENCE):
    """The condition's first true value; fails loudly when it never comes."""
    end, pause = time.monotonic() + seconds, 0.01
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(pause)
        pause = min(pause * 1.1, 0.03)  # what asks less leaves more for what is waited for


def with_names(log):
    """A sanitizer's report says where by program and offset, as reading the debug information would take half of each process's start."""
    def name(match):
        r = subprocess.run(["addr2line", "-f", "-s", "-e", match[1], match[2]], capture_output=True, text=True)
        return f"{' '.join(r.stdout.split())} {match[0]}"
    return re.sub(r"\((/\S+)\+(0x[0-9a-f]+)\)", name, log)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def port_answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def peak_kb(pid):
    """The most memory that the process has had resident."""
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


def fill_disk(folder):
    """Takes what is left of its file system; the file to remove to give it back."""
    filler = os.path.join(folder, "filler")
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    return filler


def run_small(argv, out):
    """Runs it with standard output into the file out: its status, its peak memory in KB, its standard error. The peak that the system tells
    of a child includes what that was before it became the program, here a large process: so a small one starts it."""
    start = "import resource, subprocess, sys; r = subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], 'wb')).returncode; " \
            "print(r, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    r = subprocess.run([sys.executable, "-c", start, out, *argv], capture_output=True, text=True, check=True)
    status, peak = map(int, r.stdout.split())
    return status, peak, r.stderr


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def client_ports_of(pid, port):
    """The far ends' ports of the process's connections on this port."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return {int(r[2].split(":")[1], 16) for r in rows
            if int(r[1].split(":")[1], 16) == port and r[3] == "01" and f"socket:[{r[9]}]" in inodes}


class Process:
    """A program of ours with its output in a file."""

    def __init__(self, argv, log, env=None, preexec=None):
        self.log_path = log
        self.out = open(log, "ab")
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out,
                                      env=dict(os.environ, **(env or {})), preexec_fn=preexec)
        self.pid = self.child.pid

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self.out.close()

    def stop(self, seconds=PATIENCE):
        """Asks once, asks again, then kills. The exit status."""
        for sig in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.child.poll() is not None:
                break
            self.child.send_signal(sig)
            try:
                self.child.wait(seconds / 4)
            except subprocess.TimeoutExpired:
                pass
        self.child.wait()
        self.out.close()
        return self.child.returncode


class Nginx:
    """Debian's nginx, with a page that says its name and files below www/."""

    def __init__(self, world, name, port=None, extra="", tls="", http=""):
        self.name, self.port = name, port or free_port()
        self.dir = os.path.join(world.dir, "nginx-" + name)
        self.www = os.path.join(self.dir, "www")
        os.makedirs(self.www, exist_ok=True)
        self.conf = os.path.join(self.dir, "nginx.conf")
        with open(self.conf, "w") as f:
            f.write(f"""
user root; daemon off; master_process off; worker_processes 1;
pid {self.dir}/pid; error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
  access_log {self.dir}/access.log; client_max_body_size 0; keepalive_requests 100000;
  client_body_temp_path {self.dir}/body; proxy_temp_path {self.dir}/proxy; fastcgi_temp_path {self.dir}/fastcgi;
  uwsgi_temp_path {self.dir}/uwsgi; scgi_temp_path {self.dir}/scgi; {http}
  server {{
    listen 127.0.0.1:{self.port}{" ssl" if tls else ""}; {tls}
    location / {{ add_header X-Server {name}; default_type text/plain; return 200 "{name}\\n"; }}
    location /files/ {{ alias {self.www}/; }}
    location /slow/ {{ alias {self.www}/; limit_rate 200k; }}
    {extra}
  }}
}}
""")
        self.start()
        world.at_end(self.kill)

    def start(self):
        self.process = Process(["/usr/sbin/nginx", "-e", "stderr", "-c", self.conf, "-p", self.dir],
                               os.path.join(self.dir, "log"))
        wait_for(lambda: self.process.child.poll() is not None or port_answers(self.port), f"nginx {self.name}")
        assert self.process.child.poll() is None, self.process.log()

    def kill(self):
        self.process.kill()

    def write(self, name, data):
        with open(os.path.join(self.www, name), "wb") as f:
            f.write(data)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


def read_head(sock):
    """Bytes up to and with the empty line, and what came behind it. (None, rest) when the peer ended before."""
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return None, data
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", rest


def fields_of(head):
    return [(n.strip().lower(), v.strip()) for n, _, v in
            (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:] if line)]


def read_chunks(read_line, read_exact):
    """Body and trailers of a chunked message."""
    body = b""
    while True:
        size = int(read_line().split(b";")[0], 16)
        if size == 0:
            break
        body += read_exact(size)
        assert read_exact(2) == b"\r\n"
    trailers = []
    while True:
        line = read_line()
        if not line:
            return body, trailers
        name, _, value = line.decode("latin-1").partition(":")
        trailers.append((name.lower(), value.strip()))


class Scripted:
    """A server that does what its script says: script(server, sock, head, rest) for every request head; the
    connection goes on when it returns True. Heads are kept as they came."""

    def __init__(self, world, script, raw=False, at=("127.0.0.1", 0)):
        self.script, self.raw = script, raw
        self.heads, self.connections, self.errors = [], [], []
        self.listener = socket.create_server(at, family=socket.AF_INET6 if ":" in at[0] else socket.AF_INET, backlog=512)
        self.port = self.listener.getsockname()[1]
        self.address = f"[{at[0]}]:{self.port}" if ":" in at[0] else f"{at[0]}:{self.port}"
        self.ended = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()
        world.at_end(self.close)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self.connections.append(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            with sock:
                if self.raw:
                    self.script(self, sock, b"", b"")
                    return
                while True:
                    head, rest = read_head(sock)
                    if head is None:
                        return
                    self.heads.append(head)
                    if not self.script(self, sock, head, rest):
                        return
        except (OSError, EOFError, AssertionError, ValueError) as e:
            self.errors.append(e)

    def close(self):
        self.ended.set()
        self.listener.close()
        for sock in self.connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Rest:
    """A socket read on from bytes that were already taken from it."""

    def __init__(self, sock, data=b""):
        self.sock, self.data = sock, data

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise EOFError("the peer ended in the middle")
        self.data += more

    def exact(self, n):
        while len(self.data) < n:
            self.fill()
        out, self.data = self.data[:n], self.data[n:]
        return out

    def line(self):
        while b"\r\n" not in self.data:
            self.fill()
        out, self.data = self.data.split(b"\r\n", 1)
        return out


def echo(server, sock, head, rest):
    """Answers with what it read, as JSON. One request at a time: a proxy does not pipeline."""
    method, target, version = head.split(b"\r\n")[0].decode("latin-1").split(" ")
    fields = fields_of(head)
    known, trailers = dict(fields), []
    stream = Rest(sock, rest)
    if known.get("expect", "").lower() == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "transfer-encoding" in known:
        body, trailers = read_chunks(stream.line, stream.exact)
    else:
        body = stream.exact(int(known.get("content-length", "0")))
    assert not stream.data, "bytes behind the request"
    text = json.dumps({"method": method, "target": target, "version": version, "fields": fields,
                       "length": len(body), "body": body[:4096].decode("latin-1"), "trailers": trailers}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
    sock.sendall(answer if method == "HEAD" else answer + text)
    return True


class Response:
    def __init__(self, head):
        line = head.split(b"\r\n")[0].decode("latin-1")
        self.version, status, self.reason = (line.split(" ", 2) + [""])[:3]
        self.status, self.fields, self.body, self.trailers, self.interim = int(status), fields_of(head), b"", [], []

    def field(self, name):
        return next((v for n, v in self.fields if n == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


class Client:
    """One connection. send() sends exactly these bytes, response() reads one answer."""

    def __init__(self, port, tls=None, name="site.test", session=None, timeout=PATIENCE, address=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout, (address, 0) if address else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name, session=session)
        self.rest = Rest(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def vanish(self):
        """Ends with a reset, as a machine that lost its power would seem to."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def head(self):
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += self.rest.line() + b"\r\n"
        return data

    def response(self, method="GET"):
        interim = []
        while True:
            r = Response(self.head())
            if r.status >= 200 or r.status == 101:
                break
            interim.append(r)
        r.interim = interim
        if method == "HEAD" or r.status in (101, 204, 304):
            return r
        if (r.field("transfer-encoding") or "").lower() == "chunked":
            r.body, r.trailers = read_chunks(self.rest.line, self.rest.exact)
        elif r.field("content-length") is not None:
            r.body = self.rest.exact(int(r.field("content-length")))
        else:
            r.body = self.until_end()
        return r

    def until_end(self):
        out, self.rest.data = self.rest.data, b""
        while True:
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                return out
            if not more:
                return out
            out += more

    def is_ended(self):
        """The other side ended without another byte."""
        return self.until_end() == b""

    def get(self, target="/", host="site.test", extra="", method="GET"):
        self.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n")
        return self.response(method)


def get(port, target="/", **kw):
    options = {k: kw.pop(k) for k in ("tls", "name", "session") if k in kw}
    with Client(port, **options) as c:
        return c.get(target, **kw)


class Sluis:
    """sluisd with its configuration in the world's folder."""

    def __init__(self, world, config, env=None, preexec=None, wait=True, build=BUILD, argv=()):
        self.world, self.n, self.build, self.may_crash = world, world.number(), build, False
        assert os.path.exists(os.path.join(build, "sluisd")), f"no sluisd in {build}: ./dev build"
        self.dir = os.path.join(world.dir, f"sluis{self.n}")
        os.makedirs(self.dir)
        self.file = os.path.join(self.dir, "sluis.yaml")
        self.access_path = os.path.join(self.dir, "access.log")
        self.socket = os.path.join(self.dir, "admin.sock")
        self.config = config
        self.config.setdefault("workers", 1)
        self.config.setdefault("state_dir", os.path.join(self.dir, "state"))
        self.config.setdefault("admin", {}).setdefault("socket", self.socket)
        self.config.setdefault("log", {}).setdefault("access", self.access_path)
        if "listen" not in self.config["admin"]:
            self.config["admin"]["listen"] = f"127.0.0.1:{free_port()}"
        self.admin_port = int(self.config["admin"]["listen"].rsplit(":", 1)[1])
        self.write()
        options = "detect_leaks=0:abort_on_error=0:symbolize=0:" + os.environ.get("ASAN_OPTIONS", "")  # with_names does what it does not
        self.process = Process([*argv, os.path.join(build, "sluisd"), "-c", self.file, "--rules", os.path.join(ROOT, "rules")],
                               os.path.join(self.dir, "log"), dict(ASAN_OPTIONS=options,
                               UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", **(env or {})), preexec)
        world.sluis.append(self)
        world.at_end(self.stop)
        if wait:
            wait_for(lambda: self.process.child.poll() is not None or "config.loaded" in self.log(), "sluisd is up")
            assert self.process.child.poll() is None, self.log()

    def write(self):
        with open(self.file, "w") as f:
            yaml.safe_dump(self.config, f, sort_keys=False)

    def port(self, listener="web"):
        return int(self.config["listeners"][listener]["address"].rsplit(":", 1)[1])

    def log(self):
        return self.process.log()

    def cli(self, *args, ok=True):
        r = subprocess.run([os.path.join(self.build, "sluis"), "-s", self.socket, *args], capture_output=True, text=True,
                           timeout=60, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        assert not ok or r.returncode == 0, (args, r.returncode, r.stdout, r.stderr)
        return r

    def reload(self):
        self.write()
        return self.cli("reload")

    def status(self):
        return json.loads(self.cli("status", "--json").stdout)

    def pids(self, role):
        return [p["pid"] for p in self.status()["processes"] if p["role"] == role]

    def metric(self, name):
        text = get(self.admin_port, "/metrics", host="localhost").body.decode()
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + " "))

    def access(self):
        if not os.path.exists(self.access_path):
            return []
        with open(self.access_path) as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1] if line]

    def access_line(self, **want):
        """The first line whose fields (dots written as __) are these."""
        want = {k.replace("__", "."): v for k, v in want.items()}
        return wait_for(lambda: next((a for a in self.access() if all(a.get(k) == v for k, v in want.items())), None),
                        f"an access log line with {want}")

    def stop(self):
        if self.process.child.poll() is None:
            self.process.stop()
        log = self.log()
        assert not any(mark in log for mark in SANITIZER_MARKS), log
        # A fresh process would cover up for one that crashed: ABRT, SEGV and the like, and the jail's SYS.
        assert self.may_crash or not re.search(r"event=child\.exited .*signal=(4|6|7|8|11|31)\b", log), log


class World:
    """A folder, and everything that a scenario starts; all of it ends with the scenario."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sluis-")
        os.chmod(self.dir, 0o755)
        self.ends, self.sluis, self.count, self.noted = [], [], 0, left_behind.noted

    def number(self):
        self.count += 1
        return self.count

    def at_end(self, what):
        self.ends.append(what)

    def close(self, keep=False):
        errors = []
        for what in reversed(self.ends):
            try:
                what()
            except Exception as e:  # every one must have its turn
                errors.append(e)
        if found := left_behind.search(self):
            errors.append(AssertionError("secrets were written down:\n" + "\n".join(found)))
        if not keep and not errors:
            shutil.rmtree(self.dir, ignore_errors=True)
        if errors:
            raise errors[0]

    # --- the usual pieces ---
    def nginx(self, name, **kw):
        return Nginx(self, name, **kw)

    def scripted(self, script=echo, **kw):
        return Scripted(self, script, **kw)

    def run(self, config, **kw):
        return Sluis(self, config, **kw)

    def serve(self, *servers, pool=None, listener=None, **more):
        """Sluis with one plain listener and one pool of these servers."""
        p = {"servers": [s if isinstance(s, dict) else s if isinstance(s, str) else s.address for s in servers]}
        p.update(pool or {})
        kw = {k: more.pop(k) for k in ("env", "preexec", "build", "argv") if k in more}
        config = {"listeners": {"web": dict({"address": f"127.0.0.1:{free_port()}"}, **(listener or {}))},
                  "pools": {"web": p}, "routes": [{"pool": "web"}]}
        config.update(more)
        return self.run(config, **kw)
