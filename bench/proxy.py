#!/usr/bin/python3
"""./dev bench proxy: CPU time per request, latency and memory of Sluis, nginx, HAProxy and the floor.

The proxies run side by side on loopback, in interleaved rounds, each on one core; the load generator and
the server share the other. docs/benchmarks.md says how to read what this prints.
"""

import argparse
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import programs

FIELDS = """Host: bench.example
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Accept-Language: en-GB,en;q=0.7,de;q=0.3
Accept-Encoding: gzip, deflate, br
Referer: https://bench.example/start/page.html
DNT: 1
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1
Upgrade-Insecure-Requests: 1
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
Sec-Fetch-User: ?1
Sec-CH-UA: "Chromium";v="124", "Not-A.Brand";v="99"
Sec-CH-UA-Mobile: ?0
Sec-CH-UA-Platform: "Linux"
Priority: u=0, i
Pragma: no-cache
Cache-Control: no-cache
X-Request-Origin: bench""".split("\n")


def get(path, host="bench.example", fields=None):
    return "\r\n".join([f"GET {path} HTTP/1.1"] + (fields or [f"Host: {host}"])) + "\r\n\r\n"


def route_requests():
    """One request per route, in an order that jumps between hosts."""
    n = programs.HOSTS * programs.PATHS
    order = [i * 389 % n for i in range(n)]  # 389 and n share no factor: every route once
    return "".join(get(f"/p{i % programs.PATHS}/index", f"r{i // programs.PATHS}.bench.example") for i in order)


class Case:
    def __init__(self, about, requests=None, conns=64, mode="keep", without=(), **setup):
        self.about, self.requests, self.conns = about, requests or get("/index.html"), conns
        self.mode, self.without, self.setup = mode, without, setup
        self.tls = setup.get("tls", False)


NO_FLOOR = ("floor",)  # it has no TLS
ALL_OTHERS = ("floor", "nginx", "haproxy")  # they have no such thing
CASES = {
    "h1_keepalive_1k": Case("HTTP/1.1 keep-alive, 1 KB"),
    "h1_20fields_10policies": Case(
        "the same with 20 fields and 10 policies", get("/app/page?id=42&sort=name", fields=FIELDS), policies=True
    ),
    "tls13_keepalive": Case("TLS 1.3 keep-alive, 1 KB", tls=True, without=NO_FLOOR),
    "tls13_full_ecdsa": Case(
        "full TLS 1.3 handshake (ECDSA P-256), connection and request", mode="new", conns=32, tls=True, without=NO_FLOOR
    ),
    "tls13_resumed": Case(
        "resumed TLS 1.3 handshake, connection and request", mode="resume", conns=32, tls=True, without=NO_FLOOR
    ),
    "body_64k": Case("64 KB bodies", get("/64k"), conns=32),
    "body_10m": Case("10 MB bodies", get("/10m"), conns=8),
    "idle_tls_10k": Case("idle TLS 1.3 connections", mode="idle", conns=10000, tls=True, without=NO_FLOOR),
    "detect_off": Case("20 fields, detect: off", get("/app/page?id=42&sort=name", fields=FIELDS), without=ALL_OTHERS, detect=False),
    "detect_on": Case("20 fields, detect: on, all packs", get("/app/page?id=42&sort=name", fields=FIELDS), without=ALL_OTHERS, detect=True),
    "routes_1": Case("one route, requests to 100 hosts and 10 paths", route_requests(), routes=1),
    "routes_1000": Case("1,000 host and path routes, the same requests", route_requests(), routes=1000),
}


COMPARED = (("routes_1", "routes_1000"), ("detect_off", "detect_on"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(argv, cpu, **kw):
    """A child on that core, in a process group of its own, which dies with this program."""

    def prepare():
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        os.sched_setaffinity(0, {cpu})

    return subprocess.Popen(argv, start_new_session=True, preexec_fn=prepare, **kw)


def stop(child):
    """Ends the child and its descendants, by their ids; the descendants are those it has now."""
    family = descendants(child.pid)
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        pass
    for pid, born in family.items():
        if born_at(pid) == born:
            os.kill(pid, signal.SIGKILL)
    child.wait()


def stat_of(pid):
    """Fields of /proc/PID/stat from the third on; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            return f.read().rpartition(")")[2].split()
    except OSError:
        return None


def born_at(pid):
    s = stat_of(pid)
    return s[19] if s and s[0] != "Z" else None


def descendants(root):
    """{pid: start time} of root and all processes below it."""
    parents = {}
    for name in os.listdir("/proc"):
        s = stat_of(name) if name.isdigit() else None
        if s and s[0] != "Z":
            parents[int(name)] = (int(s[1]), s[19])
    family = {root} if root in parents else set()
    while True:
        more = {p for p, (parent, _) in parents.items() if parent in family} - family
        if not more:
            return {p: parents[p][1] for p in family}
        family |= more


def cpu_of(family):
    """(µs, user ticks, system ticks) of these processes: schedstat is exact, over all threads; stat tells the shares."""
    ran = user = system = 0
    for pid in family:
        s = stat_of(pid)
        if not s:
            raise RuntimeError(f"process {pid} of the proxy ended during the measurement")
        user += int(s[11])
        system += int(s[12])
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                ran += int(f.read().split()[0]) / 1000
    return ran, user, system


def cpu_between(before, after):
    """(user µs, system µs) between two readings."""
    ran, user, system = (b - a for a, b in zip(before, after))
    share = user / (user + system) if user + system > 0 else 0
    return ran * share, ran * (1 - share)


def memory_kb(family, field):
    total = 0
    for pid in family:
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            total += next((int(line.split()[1]) for line in f if line.startswith(field)), 0)
    return total


class Failed(Exception):
    pass


class Server:
    """One running proxy, set up for one case."""

    def __init__(self, name, case, bench):
        self.name, self.case = name, case
        self.directory = tempfile.mkdtemp(prefix=f"{name}-", dir=bench.directory)
        os.chmod(self.directory, 0o755)  # nginx's worker is another user
        self.port = free_port()
        setup = programs.Setup(
            self.directory, self.port, bench.backend_port, bench.cert, bench.key, **case.setup
        )
        argv = programs.PROGRAMS[name](setup)
        self.log = open(f"{self.directory}/out.log", "w+b")
        self.child = None
        try:
            pipe = name == "floor"
            self.child = start(
                argv,
                bench.proxy_cpu,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else self.log,
                stderr=self.log,
                cwd=self.directory,
            )
            if pipe:
                self.port = int(self.child.stdout.readline().split()[1])
            self.await_answer(bench)
        except (Failed, OSError, ValueError, IndexError) as e:
            self.log.seek(0)
            said = self.log.read().decode("utf-8", "replace")[-2000:]
            self.stop()
            raise Failed(f"{name} does not start: {e}\n  {' '.join(argv)}\n{said}") from e

    def await_answer(self, bench):
        """Until the first request of the case is answered with 200."""
        end, why = time.monotonic() + 15, "no answer"
        while time.monotonic() < end:
            if self.child.poll() is not None:
                raise Failed(f"ended with {self.child.returncode}")
            probe = subprocess.run(
                [bench.load, "-p", str(self.port), "-r", bench.requests(self.case), "-c", "1", "-w", "0", "-n", "1"]
                + (["-t"] if self.case.tls else []),
                input=b"go\n",
                capture_output=True,
                check=False,
            )
            if probe.returncode == 0 and b'"errors": 0,' in probe.stdout:
                return
            why = probe.stderr.decode("utf-8", "replace").strip() or probe.stdout.decode()
            time.sleep(0.05)
        raise Failed(why)

    def stop(self):
        if self.child:
            stop(self.child)
        self.child = None
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def round(self, bench, seconds):
        """Figures of one round of load."""
        case, argv = self.case, [bench.load, "-p", str(self.port), "-r", bench.requests(self.case)]
        argv += ["-c", str(bench.conns(case)), "-m", case.mode, "-d", str(int(seconds * 1000))]
        idle_before = memory_kb(descendants(self.child.pid), "VmRSS:")
        load = start(
            argv + (["-t"] if case.tls else []), bench.load_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            if load.stdout.readline() != "READY\n":
                raise Failed(f"{self.name}: the load ended while it warmed up")
            family = descendants(self.child.pid)
            before = cpu_of(family)
            load.stdin.write("go\n")
            load.stdin.flush()
            line = load.stdout.readline()
            if not line:
                raise Failed(f"{self.name}: the load ended before its time")
            after = cpu_of(family)
            if descendants(self.child.pid) != family:
                raise Failed(f"{self.name}: its processes changed under load")
            idle_after = memory_kb(family, "VmRSS:")
        finally:
            load.stdin.close()
            stop(load)
        r = json.loads(line)
        if r["errors"] or r["lost"] or not r["requests"]:
            raise Failed(f"{self.name}: {line}")
        wanted = {"new": 0, "resume": r["handshakes"]}.get(case.mode)
        if wanted is not None and r["resumed"] != wanted:
            raise Failed(f"{self.name}: {r['resumed']} of {r['handshakes']} handshakes were resumed, not {wanted}")
        n = r["requests"]
        user, system = cpu_between(before, after)
        out = {
            "us_req": (user + system) / n,
            "user_us": user / n,
            "sys_us": system / n,
            "p50_ms": r["p50_ms"],
            "p99_ms": r["p99_ms"],
            "rps": r["rps"],
            "rss_kb": memory_kb(family, "VmHWM:"),
        }
        if case.mode == "idle":
            out["kb_conn"] = (idle_after - idle_before) / n
        elif r["bytes"] / n >= 65536:
            out["cpu_s_gb"] = (user + system) / 1e6 / (r["bytes"] / 1e9)
        return out


class Bench:
    def __init__(self, build, quick):
        self.quick = quick
        self.load = os.path.join(build, "bench", "bench_load")
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpu, self.load_cpu = cpus[0], cpus[1 % len(cpus)]
        if len(cpus) < 2:
            print("bench: one core only: proxy, load and server share it; the figures are not comparable", file=sys.stderr)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 65536), max(hard, 65536)))
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.directory = tempfile.mkdtemp(prefix="sluis-bench-")
        os.chmod(self.directory, 0o755)
        self.backend = None
        self.files = {}
        self.cert, self.key = f"{self.directory}/cert.pem", f"{self.directory}/key.pem"
        self.backend_argv = [os.path.join(build, "bench", "bench_backend")]

    def __enter__(self):
        try:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                + ["-subj", "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example,DNS:*.bench.example"]
                + ["-keyout", self.key, "-out", self.cert],
                check=True,
                capture_output=True,
            )
            self.backend = start(self.backend_argv, self.load_cpu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            self.backend_port = int(self.backend.stdout.readline().split()[1])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.backend:
            stop(self.backend)
        shutil.rmtree(self.directory, ignore_errors=True)

    def requests(self, case):
        if case not in self.files:
            path = f"{self.directory}/requests-{len(self.files)}"
            with open(path, "w", encoding="ascii", newline="") as f:
                f.write(case.requests)
            self.files[case] = path
        return self.files[case]

    def conns(self, case):
        """Idle connections are as many as descriptors allow, and fewer in a quick run."""
        if case.mode != "idle":
            return case.conns
        return max(100, min(2000 if self.quick else case.conns, self.descriptors - 1000))

    def together(self, pairs, rounds, seconds):
        """Interleaves all (case name, program): {pair: [figures of each round]} and {pair: why it failed}."""
        got, failed, running = {p: [] for p in pairs}, {}, {}
        try:
            for r in range(rounds):
                shift = r % len(pairs)  # none is always first
                for pair in pairs[shift:] + pairs[:shift]:
                    if pair in failed:
                        continue
                    case = CASES[pair[0]]
                    try:
                        if pair not in running:
                            running[pair] = Server(pair[1], case, self)
                        got[pair].append(running[pair].round(self, seconds))
                        if case.mode == "idle":  # the next round starts with memory that was never used
                            running.pop(pair).stop()
                    except (Failed, RuntimeError, OSError) as e:
                        failed[pair] = str(e)
        finally:
            for server in running.values():
                server.stop()
        return got, failed


def medians(rounds):
    return {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}


def cost_key(row):
    return "kb_conn" if "kb_conn" in row else "us_req"


def summary(got):
    """The medians of a case with its ratios: of what the case is about, CPU time or memory."""
    out = {name: medians(rounds) for name, rounds in got.items() if rounds}
    sluis = out.get("sluis")
    peers = [out[p] for p in programs.PEERS if p in out]
    key = cost_key(next(iter(out.values()))) if out else "us_req"
    cost = sluis and sluis[key]
    best = min((p[key] for p in peers), default=0)
    out["ratio_best_peer"] = cost / best if sluis and best > 0 else None
    out["ratio_floor"] = cost / out["floor"][key] if sluis and "floor" in out and out["floor"][key] > 0 else None
    return out


def table(name, case, result, conns):
    print(f"\n{name}: {case.about} ({conns} connections)")
    rows = {k: v for k, v in result.items() if isinstance(v, dict)}
    if not rows:
        print("  no figures")
        return
    extra = {"kb_conn": "KB/conn", "cpu_s_gb": "CPU s/GB"}
    extra = {k: v for k, v in extra.items() if k in next(iter(rows.values()))}
    print(
        f"  {'program':8} {'µs/req':>9} {'user':>8} {'system':>8} {'p50 ms':>8} {'p99 ms':>8} {'req/s':>9} {'peak KB':>9}"
        + "".join(f" {v:>9}" for v in extra.values())
        + f" {'/peer':>6} {'/floor':>6}"
    )
    key = cost_key(next(iter(rows.values())))
    best = min((rows[p][key] for p in programs.PEERS if p in rows), default=0)
    for program, r in rows.items():
        floor = rows["floor"][key] if "floor" in rows else 0
        print(
            f"  {program:8} {r['us_req']:9.2f} {r['user_us']:8.2f} {r['sys_us']:8.2f} {r['p50_ms']:8.3f}"
            f" {r['p99_ms']:8.3f} {r['rps']:9.0f} {r['rss_kb']:9.0f}"
            + "".join(f" {r[k]:9.2f}" for k in extra)
            + "".join(f" {r[key] / b:6.2f}" if b > 0 else f" {'-':>6}" for b in (best, floor))
        )
    sys.stdout.flush()


def groups(names):
    """The cases in order, those that are compared with each other in one group."""
    out = [[n] for n in CASES if n in names and not any(n in c for c in COMPARED)]
    return out + [g for c in COMPARED if (g := [n for n in c if n in names])]


def arguments():
    p = argparse.ArgumentParser(prog="./dev bench proxy", description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build", help=argparse.SUPPRESS)
    p.add_argument("--json", metavar="FILE", help="write the medians and ratios there")
    p.add_argument("--quick", action="store_true", help="short rounds, 2,000 idle connections: a look, not a measurement")
    p.add_argument("--case", action="append", choices=CASES, help="only this case (may be repeated)")
    p.add_argument("--programs", default=",".join(programs.PROGRAMS), help="which, with commas (default: %(default)s)")
    p.add_argument("--rounds", type=int, help="rounds per case and program")
    p.add_argument("--seconds", type=float, help="seconds per round")
    a = p.parse_args()
    a.programs = a.programs.split(",")
    for name in a.programs:
        if name not in programs.PROGRAMS:
            p.error(f"no program {name}; there are {', '.join(programs.PROGRAMS)}")
    return a


def main():
    a = arguments()
    rounds, seconds = a.rounds or (3 if a.quick else 7), a.seconds or (1.0 if a.quick else 3.0)
    programs.use_build(os.path.abspath(a.build))
    broken, results = [], {}
    for name in a.programs:
        why = programs.missing(name)
        if why:
            broken.append(f"{name}: {why}")
    present = [n for n in a.programs if not programs.missing(n)]
    for why in broken:
        print(f"bench: {why}; leave it out with --programs", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Bench(a.build, a.quick) as bench:
        for group in groups(a.case or CASES):
            pairs = [(name, p) for name in group for p in present if p not in CASES[name].without]
            if not pairs:
                print(f"\n{', '.join(group)}: none of the chosen programs can do it")
                continue
            is_idle = CASES[group[0]].mode == "idle"
            got, failed = bench.together(pairs, min(rounds, 3) if is_idle else rounds, seconds)
            for name in group:
                results[name] = summary({p: got[n, p] for n, p in pairs if n == name})
                table(name, CASES[name], results[name], bench.conns(CASES[name]))
            for (name, program), why in failed.items():
                broken.append(f"{name}: {program}")
                print(f"bench: FAILED {name}: {why}", file=sys.stderr)
    both = [results.get(n, {}).get("sluis") for n in ("detect_off", "detect_on")]
    if all(both):
        both[1]["over_off"] = both[1]["us_req"] / both[0]["us_req"]
        print(f"\ndetect: on over off, CPU per request of all processes: {both[1]['over_off']:.3f}")
    both = [results.get(n, {}) for n in ("routes_1", "routes_1000")]
    if all(both):
        print("\n1,000 routes over one, CPU per request:")
        for program in present:
            if all(program in r for r in both):
                both[1][program]["over_one_route"] = both[1][program]["us_req"] / both[0][program]["us_req"]
                print(f"  {program:8} {both[1][program]['over_one_route']:6.3f}")
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
            f.write("\n")
    if broken:
        print(f"bench: {len(broken)} did not run: {'; '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
