"""A gateway in front of echoing servers, and a browser as far as sign-ins need one: cookies by their rules, redirects, forms."""
import base64
import hashlib
import hmac
import html
import json
import re
import socket
import ssl
import struct
import time
import urllib.parse

from certs import Authority
from harness import free_port, wait_for
from left_behind import note

PORTAL = "work.example.org"
PASSWORD = "drie groene lantaarns 7"


def totp(secret, at=None, step=0):
    """RFC 6238, from the secret as the page shows it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(at or time.time()) // 30 + step), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[offset:offset + 4])[0] & 0x7fffffff) % 1000000:06d}"


def echo_head(server, sock, head, rest):
    """Answers with what it got, as text; a Set-Cookie and more where the path asks for it."""
    target = head.split(b" ", 2)[1].decode()
    extra = b""
    for name, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query):
        if name.startswith("h."):
            extra += f"{name[2:]}: {value}\r\n".encode()
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    body, size = rest, int(length.group(1)) if length else 0
    while len(body) < size:
        part = sock.recv(size - len(body))
        if not part:
            return False
        body += part
    text = head + body
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(text) + text)
    return True


def gateway(world, apps=None, server=echo_head, workers=2, **more):
    """A configuration with a portal and apps; each app has a server of its own. What is in more["gateway"] is added to the section."""
    ca = Authority(world.dir)
    apps = apps or {"wiki": {}, "mail": {}}
    names = [PORTAL] + [a.get("host", f"{n}.{PORTAL}") for n, a in apps.items()]
    pools, section = {}, {}
    for name, app in apps.items():
        pools[name] = {"servers": [world.scripted(server).address]}
        section[name] = {"host": f"{name}.{PORTAL}", "pool": name, **app}
    config = {"listeners": {"web": {"address": f"127.0.0.1:{free_port()}", "tls": {"certificates": [ca.issue(PORTAL, *names)]}}},
              "pools": pools, "routes": [], "workers": workers}
    config.update({k: v for k, v in more.items() if k not in ("gateway", "pools")})
    config["pools"].update(more.get("pools", {}))
    config["gateway"] = {"portal": PORTAL, "mfa": "false", "apps": section, **more.get("gateway", {})}
    return config


def ask(s, what, timeout=30, **request):
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(timeout)
        c.connect(s.socket)
        c.sendall(json.dumps({"command": "identity", "what": what, **request}).encode() + b"\n")
        with c.makefile("rb") as f:
            return json.loads(f.readline())


# In answers: of a portal's page, the key of one-time passwords and recovery codes; of a server that tells what it got, the token for it.
SHOWN = [("key of one-time passwords", re.compile(rb"otpauth://[^\"]*secret=([A-Z2-7]+)")), ("recovery code", re.compile(rb"\b((?:[0-9a-z]{4}-){3}[0-9a-z]{4})\b")),
         ("token for a server", re.compile(rb"(?im)^sluis-token: (\S+)"))]


def note_form(form):
    for name in ("password", "old", "new"):
        note(form.get(name, ""), "password")


def note_answer(page):
    for what, how in SHOWN:
        for secret in how.findall(page.body):
            note(secret.decode(), what)
    way_on = urllib.parse.urlsplit(page.field("location") or "")
    if way_on.path == "/.sluis/enter":
        note(urllib.parse.parse_qs(way_on.query)["code"][0], "one-time code")


def hold_to_cache_rules(u, page):
    """Each answer that any test gets: nothing of the portal's or of ours on another host is kept by anybody, but for what is the same for all."""
    is_ours = u.hostname == PORTAL or u.path.startswith("/.sluis/")
    if is_ours and not u.path.startswith("/-/") and u.path != "/.well-known/jwks.json":
        assert page.all("cache-control") == ["no-store"], (u.geturl(), page, page.fields)


def add_user(s, name, password=PASSWORD, **more):
    note(password or "", "password")
    answer = ask(s, "user.add", name=name, password=password, **more)
    assert answer["ok"], answer


class Page:
    def __init__(self, status, fields, body, url):
        self.status, self.fields, self.body, self.url = status, fields, body, url

    def field(self, name):
        return next((v for n, v in self.fields if n.lower() == name.lower()), None)

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode()

    def csrf(self):
        found = re.search(r'name="csrf" value="([^"]*)"', self.text)
        return html.unescape(found.group(1)) if found else ""

    def hidden(self, name):
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        return html.unescape(found.group(1)) if found else ""

    def alert(self):
        found = re.search(r'role="alert".*?</(?:div|section|p)>', self.text, re.S)
        return html.unescape(re.sub(r"<[^>]+>", " ", found.group(0)).split(">", 1)[-1]) if found else ""

    def __repr__(self):
        return f"<{self.status} {self.url} {self.fields} {self.body[:400]!r}>"


class Browser:
    """One person's browser. Every connection is new unless keep is set, so that any worker may answer."""

    def __init__(self, s, keep=False):
        self.s, self.jar, self.keep, self.open = s, {}, keep, {}
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.port = s.port()

    def connect(self, host):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return self.context.wrap_socket(sock, server_hostname=host)

    def cookies(self, host):
        return "; ".join(f"{n}={v}" for n, v in self.jar.get(host, {}).items())

    def take(self, host, fields):
        for name, value in fields:
            if name.lower() != "set-cookie":
                continue
            parts = [p.strip() for p in value.split(";")]
            key, _, v = parts[0].partition("=")
            attributes = {p.split("=")[0].lower(): p.partition("=")[2] for p in parts[1:]}
            if key.startswith("__Host-"):
                assert "secure" in attributes and attributes.get("path") == "/" and "domain" not in attributes, value
            if key.startswith("__Host-sluis-"):
                note(v, f"cookie {key}")
            jar = self.jar.setdefault(attributes.get("domain", host).lstrip("."), {})
            if attributes.get("max-age") == "0" or not v:
                jar.pop(key, None)
            else:
                jar[key] = v

    def request(self, method, url, body=None, headers=(), follow=True, cookies=True, origin=True):
        for _ in range(12):
            u = urllib.parse.urlsplit(url)
            target = (u.path or "/") + ("?" + u.query if u.query else "")
            lines = [f"{method} {target} HTTP/1.1", f"Host: {u.netloc}"]
            if cookies and self.cookies(u.hostname):
                lines.append("Cookie: " + self.cookies(u.hostname))
            if method == "POST" and origin:
                lines += [f"Origin: {u.scheme}://{u.netloc}" if origin is True else f"Origin: {origin}", "Sec-Fetch-Site: same-origin"] if origin is True else [f"Origin: {origin}"]
            if not any(h.lower().startswith("accept:") for h in headers):
                lines.append("Accept: text/html")
            lines += list(headers)
            data = b""
            if body is not None:
                if isinstance(body, dict):
                    note_form(body)
                data = body if isinstance(body, bytes) else urllib.parse.urlencode(body).encode()
                lines += [f"Content-Length: {len(data)}"] + ([] if any(h.lower().startswith("content-type") for h in headers) else ["Content-Type: application/x-www-form-urlencoded"])
            page = self.exchange(u.hostname, ("\r\n".join(lines) + "\r\n\r\n").encode() + data, url, method)
            self.take(u.hostname, page.fields)
            note_answer(page)
            hold_to_cache_rules(u, page)
            if not follow or page.status not in (301, 302, 303, 307, 308):
                return page
            url = urllib.parse.urljoin(url, page.field("location"))
            method, body, headers = "GET", None, [h for h in headers if h.lower().startswith("accept-language")]
        raise AssertionError(f"redirects without end: {url}")

    def exchange(self, host, data, url, method):
        sock = self.open.pop(host, None) or self.connect(host)
        sock.sendall(data)
        f = sock.makefile("rb")
        status = int(f.readline().split()[1])
        fields = []
        while (line := f.readline().rstrip(b"\r\n")):
            n, _, v = line.decode("latin-1").partition(": ")
            fields.append((n, v))
        length = next((int(v) for n, v in fields if n.lower() == "content-length"), 0)
        body = f.read(length) if method != "HEAD" else b""
        if self.keep and not any(n.lower() == "connection" and v == "close" for n, v in fields):
            self.open[host] = sock
        else:
            sock.close()
        return Page(status, fields, body, url)

    def url(self, path="/", host=PORTAL):
        return f"https://{host}:{self.port}{path}"

    def get(self, path="/", host=PORTAL, **kw):
        return self.request("GET", self.url(path, host), **kw)

    def post(self, path, form, host=PORTAL, **kw):
        return self.request("POST", self.url(path, host), body=form, **kw)

    def sign_in(self, name, password=PASSWORD, next="", **kw):
        return self.post("/sign-in", {"user": name, "password": password, **({"next": next} if next else {})}, **kw)
