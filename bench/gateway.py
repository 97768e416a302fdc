#!/usr/bin/python3
"""./dev bench gateway: what a sign-in costs each request, beside nginx with auth_request; many sessions; a storm of sign-ins.

All on loopback, as ./dev bench proxy: the proxy on one core, load and servers on the other. docs/benchmarks.md says how to read what this prints.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import socket
import sqlite3
import ssl
import statistics
import subprocess
import sys
import time

import programs
import proxy

PORTAL, APP, PLAIN = "work.bench.example", "app.bench.example", "plain.bench.example"
PASSWORD = "drie groene lantaarns 7"
FIELDS = [f for f in proxy.FIELDS if not f.startswith(("Host:", "Cookie:", "Referer:"))]
PEOPLE, SIGN_INS, OTHERS = 100, 200, 500  # who signs in during the storm; sign-ins and other requests a second


class Gateway:
    """A running sluisd with a portal, one app, and a plain route to the same server."""

    def __init__(self, bench, cpus, sessions=100000):
        self.directory = f"{bench.directory}/gateway"
        self.socket, self.port, self.cpus, self.child = f"{self.directory}/admin.sock", proxy.free_port(), cpus, None
        os.makedirs(f"{self.directory}/state")
        server = {"servers": [f"127.0.0.1:{bench.backend_port}"], "keep": 512, "keep_time": "600s"}
        self.conf = {
            "workers": 1,
            "state_dir": f"{self.directory}/state",
            "admin": {"socket": self.socket},
            "limits": {"connections": 20000, "connections_per_client": 0, "requests_per_connection": 1000000000, "idle_time": "600s"},
            "listeners": {"front": {"address": f"127.0.0.1:{self.port}", "tls": {"certificates": [{"chain": bench.cert, "key": bench.key}], "min_version": "1.3"}}},
            "pools": {"app": server},
            "routes": [{"host": PLAIN, "pool": "app"}],
            "gateway": {
                "portal": PORTAL, "mfa": "false", "sessions": sessions, "hashers": 1,
                "apps": {"app": {"host": APP, "pool": "app", "allow": 'user.groups == "staff"', "fields": {"X-Remote-User": "user.name"}}},
            },
        }
        with open(f"{self.directory}/sluis.yaml", "w", encoding="utf-8") as f:
            json.dump(self.conf, f)  # JSON is YAML

    def start(self):
        """Seconds until it answers."""
        begin = time.monotonic()
        log = open(f"{self.directory}/out.log", "ab")
        with log:
            self.child = proxy.start([programs.SLUIS[0], "run", f"{self.directory}/sluis.yaml"], self.cpus[0],
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.sched_setaffinity(self.child.pid, set(self.cpus))
        while time.monotonic() < begin + 60:
            if self.child.poll() is not None:
                break
            try:
                if self.ask("user.list").get("ok"):
                    return time.monotonic() - begin
            except (OSError, ValueError):
                pass
            time.sleep(0.02)
        with open(f"{self.directory}/out.log", encoding="utf-8", errors="replace") as f:
            raise proxy.Failed("sluis does not start: " + f.read()[-2000:])

    def stop(self):
        if self.child:
            proxy.stop(self.child)
        self.child = None

    def ask(self, what, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(600)
            s.connect(self.socket)
            s.sendall(json.dumps({"command": "identity", "what": what, **request}).encode() + b"\n")
            with s.makefile("rb") as f:
                return json.loads(f.readline())

    def add(self, name):
        answer = self.ask("user.add", name=name, password=PASSWORD, groups=["staff"])
        if not answer.get("ok"):
            raise proxy.Failed(f"user.add: {answer}")

    def identity(self):
        """The process id of sluis-identity."""
        for pid in proxy.descendants(self.child.pid):
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                if f.read().startswith("sluis-identity"):
                    return pid
        raise proxy.Failed("there is no sluis-identity")

    def family(self):
        return proxy.descendants(self.child.pid)


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # one, for the system's authorities take longer to read than a handshake
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


def client(port, host):
    """A connection over TLS to that host, which is here."""
    c = http.client.HTTPSConnection(host, port, context=CONTEXT, timeout=60)
    c.sock = CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname=host)
    return c


def step(port, method, host, target, cookies, body=None):
    """One request; (status, Location, cookies that were set)."""
    c = client(port, host)
    fields = {"Host": f"{host}:{port}", "Accept": "text/html", "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
    if body:
        fields |= {"Origin": f"https://{host}:{port}", "Content-Type": "application/x-www-form-urlencoded"}
    c.request(method, target, body, {k: v for k, v in fields.items() if v})
    r = c.getresponse()
    r.read()
    c.close()
    cookies.update(v.split(";")[0].split("=", 1) for k, v in r.getheaders() if k.lower() == "set-cookie")
    return r.status, r.getheader("Location", "")


def sign_in(port, user):
    """The cookies at the portal."""
    cookies = {}
    status, _ = step(port, "POST", PORTAL, "/sign-in", cookies, f"user={user}&password={PASSWORD.replace(' ', '+')}")
    if status != 303 or "__Host-sluis-portal" not in cookies:
        raise proxy.Failed(f"sign-in of {user}: {status}")
    return cookies


def enter(port, portal):
    """The cookie of the app for who has signed in."""
    app = {}
    _, to = step(port, "GET", APP, "/", app)
    _, to = step(port, "GET", PORTAL, to.split(str(port), 1)[1], portal)
    step(port, "GET", APP, to.split(str(port), 1)[1], app)
    if "__Host-sluis-app" not in app:
        raise proxy.Failed(f"the app is not entered: {to}")
    return app["__Host-sluis-app"]


# --- what it costs each request ---


def request_file(bench, name, host, cookie):
    path = f"{bench.directory}/requests-{name}"
    with open(path, "w", encoding="ascii", newline="") as f:
        f.write(proxy.get("/index.html", fields=[f"Host: {host}", f"Cookie: {cookie}"] + FIELDS))
    return path


def round_of(bench, port, requests, families, seconds, conns=64):
    """(µs of each family per request, p50 ms, p99 ms) of one round."""
    load = proxy.start([bench.load, "-p", str(port), "-r", requests, "-c", str(conns), "-m", "keep", "-d", str(int(seconds * 1000)), "-t"],
                       bench.load_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if load.stdout.readline() != "READY\n":
            raise proxy.Failed("the load ended while it warmed up")
        before = [proxy.cpu_of(f) for f in families]
        load.stdin.write("go\n")
        load.stdin.flush()
        line = load.stdout.readline()
        after = [proxy.cpu_of(f) for f in families]
    finally:
        load.stdin.close()
        proxy.stop(load)
    r = json.loads(line or "{}")
    if not r or r["errors"] or r["lost"] or not r["requests"]:
        raise proxy.Failed(f"the load says: {line}")
    return [(a[0] - b[0]) / r["requests"] for a, b in zip(after, before)], r["p50_ms"], r["p99_ms"]


def nginx(bench, directory, port, auth_port):
    """With and without auth_request, by host; the service that it asks is the cheapest there can be: bench_backend."""
    os.makedirs(directory)
    paths = "".join(f"{k}_temp_path {directory}/tmp; " for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    common = f"listen 127.0.0.1:{port} ssl; keepalive_timeout 600s; keepalive_requests 1000000000;"
    relay = "proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header X-Forwarded-For $remote_addr; " \
            "proxy_set_header X-Forwarded-Proto https;"
    with open(f"{directory}/nginx.conf", "w", encoding="utf-8") as f:
        f.write(f"""daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log crit;
events {{ worker_connections 8192; }}
http {{ access_log off; {paths} ssl_certificate {bench.cert}; ssl_certificate_key {bench.key}; ssl_protocols TLSv1.3;
  upstream app {{ server 127.0.0.1:{bench.backend_port}; keepalive 512; keepalive_requests 1000000000; }}
  upstream auth {{ server 127.0.0.1:{auth_port}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ {common} server_name {PLAIN}; location / {{ {relay} }} }}
  server {{ {common} server_name {APP};
    location / {{ auth_request /.auth; auth_request_set $user $upstream_http_server; proxy_set_header Sluis-User $user; {relay} }}
    location = /.auth {{ internal; proxy_pass http://auth/; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass_request_body off;
      proxy_set_header Content-Length ''; }} }} }}
""")
    return ["nginx", "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"]


def await_port(port):
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise proxy.Failed("nginx does not start")


def cost(bench, gateway, rounds, seconds):
    """µs per request of each of the four, medians over interleaved rounds."""
    cookie = enter(gateway.port, sign_in(gateway.port, "eva"))
    session = hashlib.sha256(cookie.encode()).hexdigest()[:43]
    files = {"app": request_file(bench, "app", APP, f"__Host-sluis-app={cookie}"), "plain": request_file(bench, "plain", PLAIN, f"__Host-other-app={session}")}
    auth = proxy.start(bench.backend_argv, bench.load_cpu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    peer = None
    try:
        auth_port, port = int(auth.stdout.readline().split()[1]), proxy.free_port()
        peer = proxy.start(nginx(bench, f"{bench.directory}/nginx", port, auth_port), bench.proxy_cpu, stdin=subprocess.DEVNULL)
        await_port(port)
        cases = {
            "sluis, plain route": (gateway.port, files["plain"], gateway.family(), {}),
            "sluis, app with a session": (gateway.port, files["app"], gateway.family(), {}),
            "nginx, plain": (port, files["plain"], proxy.descendants(peer.pid), {}),
            "nginx, auth_request": (port, files["app"], proxy.descendants(peer.pid), proxy.descendants(auth.pid)),
        }
        got = {name: [] for name in cases}
        for r in range(rounds):
            names = list(cases)
            for name in names[r % 4:] + names[:r % 4]:
                port_, requests, family, other = cases[name]
                us, p50, p99 = round_of(bench, port_, requests, [family, other], seconds)
                got[name].append({"us_req": us[0], "service_us": us[1], "p50_ms": p50, "p99_ms": p99})
        return {name: proxy.medians(rows) for name, rows in got.items()}
    finally:
        for child in (peer, auth):
            if child:
                proxy.stop(child)


# --- many sessions ---


def fill(gateway, count):
    """Sessions of the portal, as src/auth/store_sql.tbl writes them, of users that are there. Sluis does not run meanwhile."""
    path, now = f"{gateway.directory}/state/identity/identity.db", int(time.time())
    owner = os.stat(path)
    with sqlite3.connect(path) as db:
        users = [row[0] for row in db.execute("SELECT id FROM user")]
        db.executemany(
            "INSERT INTO session(id, parent, user, hash, host, method, agent, client, port, since, seen, until, proved, idle, mfa, bound)"
            " VALUES(?, '', ?, ?, '', 'password totp', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0)', ?, 0, ?, ?, ?, ?, 3600, 1, 0)",
            ((f"{random.getrandbits(64):016x}", users[i % len(users)], os.urandom(32), b"\0" * 10 + b"\xff\xff" + os.urandom(4), now, now, now + 36000, now)
             for i in range(count)))
    db.close()
    for name in os.listdir(os.path.dirname(path)):
        os.chown(os.path.join(os.path.dirname(path), name), owner.st_uid, owner.st_gid)


def many(gateway, count):
    empty = proxy.memory_kb([gateway.identity()], "VmRSS:")
    gateway.stop()
    fill(gateway, count)
    took = gateway.start()
    out = {"sessions": count, "start_s": took, "rss_empty_mb": empty / 1024, "rss_mb": proxy.memory_kb([gateway.identity()], "VmRSS:") / 1024}
    identity = [gateway.identity()]
    begin, before = time.monotonic(), proxy.cpu_of(identity)
    answer = gateway.ask("sessions.revoke", all=True)
    out["revoke_all_s"] = time.monotonic() - begin
    out["revoke_all_cpu_s"] = (proxy.cpu_of(identity)[0] - before[0]) / 1e6
    if not answer.get("ok") or answer["ended"] < count:
        raise proxy.Failed(f"sessions.revoke: {answer}")
    return out


# --- a storm of sign-ins ---


class Load:
    """bench_load at a steady pace, which begins with go(); the time of each request counts from when it was due."""

    def __init__(self, bench, port, requests, rate, seconds, *more):
        self.child = proxy.start([bench.load, "-p", str(port), "-r", requests, "-R", str(rate), "-d", str(int(seconds * 1000)), "-t", *more],
                                 bench.load_cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def go(self):
        if self.child.stdout.readline() != "READY\n":
            raise proxy.Failed("the load ended while it warmed up")
        self.child.stdin.write("go\n")
        self.child.stdin.flush()

    def end(self):
        line = self.child.stdout.readline()
        self.child.stdin.close()
        proxy.stop(self.child)
        r = json.loads(line or "{}")
        if not r or r["errors"] or not r["requests"]:
            raise proxy.Failed(f"the load says: {line}")
        return r


def first_of_all(pid):
    """The server and those who measure share a core with the storm's clients: what is measured is what the storm does to Sluis, not to them."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        print("bench: no real-time priority for who measures (not root?): the times amid the storm are too long", file=sys.stderr)


def sign_ins(bench, port):
    """A file with the sign-in of each of the people."""
    path = f"{bench.directory}/sign-ins"
    with open(path, "w", encoding="ascii", newline="") as f:
        for i in range(PEOPLE):
            body = f"user=user{i}&password={PASSWORD.replace(' ', '+')}"
            f.write(f"POST /sign-in HTTP/1.1\r\nHost: {PORTAL}:{port}\r\nOrigin: https://{PORTAL}:{port}\r\nAccept: text/html\r\n"
                    f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    return path


def storm(bench, gateway, rounds, seconds):
    """p50 and p99 of a steady pace of other requests: alone, amid as many new connections with a cheap request each, amid sign-ins; interleaved."""
    plain, people = request_file(bench, "plain", PLAIN, "a=b"), sign_ins(bench, gateway.port)
    for i in range(PEOPLE):
        gateway.add(f"user{i}")
    first_of_all(bench.backend.pid)
    got = {"alone": [], "connections": [], "sign_ins": []}
    done = {"connections": [], "sign_ins": []}
    for _ in range(rounds):
        for amid, rows in got.items():
            around = None
            if amid != "alone":
                around = Load(bench, gateway.port, people if amid == "sign_ins" else plain, SIGN_INS, seconds + 1, "-m", "new", "-c", "1000", "-w", "1000", "-a")
                around.go()
            others = Load(bench, gateway.port, plain, OTHERS, seconds, "-c", "32")
            first_of_all(others.child.pid)
            others.go()
            rows.append(others.end())
            if around:
                done[amid].append(around.end())
    out = {amid: {what: statistics.median(r[what] for r in rows) for what in ("p50_ms", "p99_ms")} for amid, rows in got.items()}
    took = (seconds + 1) * rounds
    return out | {"ratio": out["sign_ins"]["p99_ms"] / out["alone"]["p99_ms"], "ratio_connections": out["sign_ins"]["p99_ms"] / out["connections"]["p99_ms"],
                  "tries_s": sum(s["requests"] for s in done["sign_ins"]) / took, "signed_in_s": sum(s["requests"] - s["refused"] for s in done["sign_ins"]) / took}


# --- all of it ---


def tell(result):
    if "cost" in result:
        print("\nA request over TLS 1.3, kept connections, 17 fields (64 connections)")
        print(f"  {'':28}{'µs/req':>9}{'service':>9}{'p50 ms':>9}{'p99 ms':>9}")
        for name, r in result["cost"].items():
            print(f"  {name:28}{r['us_req']:9.2f}{r['service_us']:9.2f}{r['p50_ms']:9.2f}{r['p99_ms']:9.2f}")
        print(f"  with a session over without, sluis: {result['ratio_session']:.3f} (aimed at: 1.10); nginx: {result['ratio_nginx']:.3f}; "
              f"sluis over nginx with auth_request: {result['ratio_peer']:.3f}")
    if "storm" in result:
        s = result["storm"]
        print(f"\nA storm of sign-ins ({PEOPLE} people, 1 hasher): {s['tries_s']:.0f} tries a second, each on a new connection, of which {s['signed_in_s']:.1f} "
              f"signed in and the others were told to wait; {OTHERS} other requests a second:")
        print(f"  {'':34}{'p50 ms':>9}{'p99 ms':>9}")
        for name, amid in (("alone", "alone"), ("amid as many connections", "connections"), ("amid the sign-ins", "sign_ins")):
            print(f"  {name:34}{s[amid]['p50_ms']:9.2f}{s[amid]['p99_ms']:9.2f}")
        print(f"  p99 amid sign-ins over alone: {s['ratio']:.2f} (aimed at: 1.20); over amid as many connections: {s['ratio_connections']:.2f}")
    if "many" in result:
        m = result["many"]
        print(f"\n{m['sessions']} sessions: start {m['start_s']:.2f} s; sluis-identity {m['rss_mb']:.1f} MB ({m['rss_empty_mb']:.1f} MB before); "
              f"revoking all {m['revoke_all_s']:.2f} s, of which it computed {m['revoke_all_cpu_s']:.2f} s")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--quick", action="store_true", help="short rounds")
    p.add_argument("--sessions", type=int, default=100000)
    p.add_argument("--only", choices=("cost", "storm", "many"), help="this part alone")
    p.add_argument("--json", help="write the figures here")
    args = p.parse_args()
    programs.use_build(os.path.abspath(args.build))
    rounds, seconds = (4, 1.0) if args.quick else (12, 3.0)
    gateway = None
    with proxy.Bench(os.path.abspath(args.build), args.quick) as bench:
        try:
            gateway = Gateway(bench, [bench.proxy_cpu], args.sessions + 1000)
            gateway.start()
            gateway.add("eva")
            parts = {
                "cost": lambda: cost(bench, gateway, rounds, seconds),
                "storm": lambda: storm(bench, gateway, max(3, rounds // 2), 5 * seconds),
                "many": lambda: many(gateway, args.sessions),
            }
            result = {name: part() for name, part in parts.items() if args.only in (None, name)}
        except proxy.Failed as e:
            print(f"bench: {e}", file=sys.stderr)
            return 1
        finally:
            if gateway:
                gateway.stop()
    us = {name: r["us_req"] for name, r in result.get("cost", {}).items()}
    if us:
        result |= {"ratio_session": us["sluis, app with a session"] / us["sluis, plain route"], "ratio_nginx": us["nginx, auth_request"] / us["nginx, plain"],
                   "ratio_peer": us["sluis, app with a session"] / us["nginx, auth_request"]}
    tell(result)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
