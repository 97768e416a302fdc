"""The proxies of the benchmark: what each is told, so that all of them do the same work.

Equal for all: one process or thread that relays, no access log, kept connections to the server, no limit
on requests per connection, TLS 1.3 with one ECDSA P-256 certificate and session tickets, the same
policies in the proxy's own words, the same routes. What a proxy does by default beyond that stays.
"""

import json
import os
import shutil

HOSTS, PATHS = 100, 10  # of routes_1000
POOLS = 4


class Setup:
    """What a program serves: written once per case and program into a directory of its own."""

    def __init__(self, directory, port, server_port, cert, key, tls=False, policies=False, routes=0, detect=False):
        self.directory, self.port, self.server_port = directory, port, server_port
        self.cert, self.key = cert, key
        self.tls, self.policies, self.routes, self.detect = tls, policies, routes, detect

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def route_list(self):
        """(host, path prefix, pool) of every route."""
        if self.routes == 1:
            return [("", "/", 0)]
        return [(f"r{h}.bench.example", f"/p{p}/", (h + p) % POOLS) for h in range(HOSTS) for p in range(PATHS)]


NGINX_POLICIES = r"""
        if ($uri ~ "^/admin/") { return 403; }
        if ($request_uri ~ "/\.\./") { return 403; }
        if ($uri ~ "\.php$") { return 403; }
        if ($request_method = DELETE) { return 403; }
        if ($http_user_agent ~* "sqlmap") { return 403; }
        if ($http_user_agent ~* "nikto") { return 403; }
        if ($args ~* "union.*select") { return 403; }
        if ($http_cookie ~ "<script") { return 403; }
        if ($bench_bad_client) { return 403; }
        if ($http_x_original_url) { return 403; }
"""


def nginx(s):
    listen = f"listen 127.0.0.1:{s.port}" + (" ssl" if s.tls else "") + " backlog=4096"
    tls = (
        f"ssl_certificate {s.cert}; ssl_certificate_key {s.key}; ssl_protocols TLSv1.3;\n"
        "    ssl_session_cache shared:bench:10m;"
        if s.tls
        else ""
    )
    policies = NGINX_POLICIES if s.policies else ""
    if s.routes:
        by_host = {}
        for host, path, pool in s.route_list():
            by_host.setdefault(host, []).append(f"location {path} {{ proxy_pass http://pool{pool}; }}")
        servers = "\n".join(
            f"  server {{ {listen if i == 0 else listen.replace(' backlog=4096', '')}; server_name {host or '_'};\n    "
            + "\n    ".join(locations)
            + "\n  }"
            for i, (host, locations) in enumerate(by_host.items())
        )
    else:
        servers = f"  server {{ {listen}; {tls}\n    location / {{ {policies} proxy_pass http://pool0; }}\n  }}"
    pools = "\n".join(
        f"  upstream pool{i} {{ server 127.0.0.1:{s.server_port}; keepalive 512; keepalive_requests 1000000000; }}"
        for i in range(POOLS if s.routes > 1 else 1)
    )
    path = s.write(
        "nginx.conf",
        f"""worker_processes 1; daemon off; pid {s.directory}/nginx.pid; error_log {s.directory}/error.log error;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; multi_accept on; }}
http {{
  access_log off; server_tokens off; tcp_nodelay on;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {s.directory}/body; proxy_temp_path {s.directory}/proxy;
  fastcgi_temp_path {s.directory}/fastcgi; uwsgi_temp_path {s.directory}/uwsgi; scgi_temp_path {s.directory}/scgi;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_buffers 16 16k; proxy_max_temp_file_size 0;
  server_names_hash_max_size 4096;
  geo $bench_bad_client {{ default 0; 192.0.2.0/24 1; 198.51.100.0/24 1; }}
{pools}
{servers}
}}
""",
    )
    return ["nginx", "-p", s.directory, "-c", path, "-e", f"{s.directory}/error.log"]


HAPROXY_POLICIES = r"""
    http-request deny if { path_beg /admin/ }
    http-request deny if { path -m sub /../ }
    http-request deny if { path_end .php }
    http-request deny if { method DELETE }
    http-request deny if { req.hdr(user-agent) -i -m sub sqlmap }
    http-request deny if { req.hdr(user-agent) -i -m sub nikto }
    http-request deny if { query -i -m reg union.*select }
    http-request deny if { req.hdr(cookie) -m sub <script }
    http-request deny if { src 192.0.2.0/24 198.51.100.0/24 }
    http-request deny if { req.hdr(x-original-url) -m found }
"""


def haproxy(s):
    bind = f"bind 127.0.0.1:{s.port} backlog 4096"
    if s.tls:
        pem = os.path.join(s.directory, "both.pem")
        with open(pem, "w", encoding="ascii") as out:
            for part in (s.cert, s.key):
                with open(part, encoding="ascii") as f:
                    out.write(f.read())
        bind += f" ssl crt {pem} ssl-min-ver TLSv1.3"
    use = "default_backend pool0"
    if s.routes > 1:
        table = s.write("routes.map", "".join(f"{h}{p} pool{n}\n" for h, p, n in s.route_list()))
        use = f"use_backend %[base,map_beg({table},pool0)]"
    backends = "\n".join(
        f"backend pool{i}\n    server s 127.0.0.1:{s.server_port}" for i in range(POOLS if s.routes > 1 else 1)
    )
    path = s.write(
        "haproxy.cfg",
        f"""global
    nbthread 1
    maxconn 16000
    no strict-limits
    tune.ssl.default-dh-param 2048
defaults
    mode http
    timeout connect 10s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    option http-keep-alive
    option forwardfor
    http-reuse always
frontend front
    {bind}
{HAPROXY_POLICIES if s.policies else ''}
    http-request set-header X-Forwarded-Proto {'https' if s.tls else 'http'}
    {use}
{backends}
""",
    )
    return ["haproxy", "-db", "-q", "-f", path]


SLUIS_POLICIES = [
    'starts_with(http.path, "/admin/")',
    'http.path.raw contains "/../"',
    'ends_with(http.path, ".php")',
    'http.method == "DELETE"',
    'lower(http.user_agent) contains "sqlmap"',
    'lower(http.user_agent) contains "nikto"',
    'http.query matches "(?i)union.*select"',
    'header("Cookie") contains "<script"',
    "client.ip in $bad_clients",
    'header("X-Original-URL") != ""',
]


def sluis(s):
    listener = {"address": f"127.0.0.1:{s.port}"}
    if s.tls:
        listener["tls"] = {"certificates": [{"chain": s.cert, "key": s.key}], "min_version": "1.3"}
    pool = {"servers": [f"127.0.0.1:{s.server_port}"], "keep": 512, "keep_time": "600s"}
    conf = {
        "workers": 1,
        "state_dir": f"{s.directory}/state",
        "admin": {"socket": f"{s.directory}/admin.sock"},
        "limits": {
            "connections": 20000,
            "connections_per_client": 0,
            "requests_per_connection": 1000000000,
            "idle_time": "600s",
        },
        "listeners": {"front": listener},
        "pools": {f"pool{i}": pool for i in range(POOLS if s.routes > 1 else 1)},
        "routes": [{"pool": "pool0"}],
    }
    if s.detect:
        conf["detect"] = {"mode": "on", "alerts": f"{s.directory}/alerts.jsonl"}
    if s.routes > 1:
        conf["routes"] = [{"host": h, "path": p.rstrip("/"), "pool": f"pool{n}"} for h, p, n in s.route_list()]
    if s.policies:
        conf["sets"] = {"bad_clients": {"addresses": ["192.0.2.0/24", "198.51.100.0/24"]}}
        conf["policies"] = [
            {"name": f"bench-{i}", "if": when, "then": [{"block": 403}]} for i, when in enumerate(SLUIS_POLICIES)
        ]
    os.makedirs(f"{s.directory}/state", exist_ok=True)
    return [SLUIS[0], "run", s.write("sluis.yaml", json.dumps(conf, indent=1))]  # JSON is YAML


FLOOR = ["bench_floor"]
SLUIS = ["sluis"]


def floor(s):
    return [FLOOR[0], str(s.server_port)]


PROGRAMS = {"floor": floor, "nginx": nginx, "haproxy": haproxy, "sluis": sluis}
PEERS = ("nginx", "haproxy")


def use_build(build):
    FLOOR[0] = os.path.join(build, "bench", "bench_floor")
    SLUIS[0] = os.path.join(build, "sluis")


def missing(name):
    """Why the program cannot be started, or None."""
    path = {"floor": FLOOR[0], "sluis": SLUIS[0]}.get(name, name)
    return None if shutil.which(path) else f"{path} is not there"
