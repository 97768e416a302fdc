"""Requests for readers to disagree on: good ones, odd ones, those that are known to be read differently, and mutants of
all of them. The same seed gives the same corpus, so a case that failed has a number to come back to."""
import random

H = "Host: site.test\r\n"


def get(target, more="", version="1.1", method="GET", host=H):
    return f"{method} {target} HTTP/{version}\r\n{host}{more}\r\n"


def post(body, *fields, target="/p"):
    return f"POST {target} HTTP/1.1\r\n{H}" + "".join(f + "\r\n" for f in fields) + "\r\n" + body


def length(body, value=None, name="Content-Length", more=""):
    return post(body, *([more] if more else []), f"{name}: {len(body) if value is None else value}")


def coded(body, coding="chunked", name="Transfer-Encoding"):
    return post(body, f"{name}: {coding}")


SMUGGLED = get("/smuggled")
LENGTHS = [" 5", "5 ", "\t5", "05", "+5", "-5", "5,5", "5, 5", "5,", "0x5", "5.0", "5e0", "5\x0b", "5\x0c", "\x0b5", "5;", "5\xa0",
           "18446744073709551621", "9223372036854775808", "4294967301", "", "five", "\x005", "5\x00", "5_0", "0", "1", "6", "00000005"]
CODINGS = ["chunked", "Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked", "chunked\t", "\x0bchunked", "chunked\x0b", "\x0cchunked",
           "xchunked", "chunkedx", "chunked, identity", "identity, chunked", "identity", "chunked,", ",chunked", "chunked;q=1",
           "\"chunked\"", "chunked, chunked", "gzip, chunked", "chunked, gzip", "chun\tked", "cow", "", "\x00chunked", "'chunked'"]
SIZES = ["5", "05", "005", "+5", "-5", "0x5", "5 ", " 5", "5\t", "5;", "5;a", "5;a=b", "5;a=\"b\"", "5;a=\"b\r\"", "5;a=\"\n\"", "5;\nx",
         "5;a\nb", "5_", "_5", "5.0", "5\r", "5\x00", "5\x0b", "5 ;a", "5,5", "10000000000000005", "FFFFFFFFFFFFFFFF", "5g", "000000000000000005",
         "5;" + "a" * 3000]
ENDS = ["\n", "\r", "\r\r\n", "\n\r\n", "\r\n\r\n", "\x0b\r\n", "\x85", "\r\n ", "\r\n\t", " \r\n", "\x00\r\n", "\u2028".encode().decode("latin-1")]
HOSTS = ["", "Host:\r\n", "Host: \r\n", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: u@a\r\n", "Host: a,b\r\n", "Host: a:80\r\n",
         "Host: a:\r\n", "Host: a:x\r\n", "Host: a:99999\r\n", "Host: a:+80\r\n", "Host: [::1]\r\n", "Host: [::1\r\n", "Host: a/b\r\n",
         "Host: a b\r\n", "Host: a\tb\r\n", "Host : a\r\n", "host: A\r\n", "HOST: a.\r\n", "Host:a\r\n", "Host:\ta\r\n", "Host: a%00\r\n",
         "Host: 127.0.0.1\r\n", "Host: a#b\r\n", "Host: a?b\r\n", "Host: \xe9\r\n", "X-Host: a\r\n"]
TARGETS = ["/", "/a/b", "/a//b", "//a", "/./a", "/a/../b", "/a/%2e%2e/b", "/a/.%2e/b", "/..", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a;b",
           "/a;b=c/d", "/..;/a", "/a%00b", "/a%0ab", "/a%0d%0ab", "/a%20b", "/a+b", "/a%2bb", "/%61", "/%c3%a9", "/%C3%A9", "/%ff", "/%c0%ae",
           "/a%", "/a%2", "/a%zz", "/%25", "/a%25b", "/%2541", "/%252e%252e/a", "/a?b", "/a?", "/a??b", "/a?b=/../c", "/a?%00", "/a?b#c",
           "/a#b", "/a%23b", "/a%3fb", "/a%3Fb?c", "/~a", "/a:b", "/a@b", "/a!$&'()*,=b", "/a\"b", "/a<b>", "/a^b", "/a`b", "/a|b", "/a{b}",
           "/a[b]", "/a\x80b", "/\xe9", "/a b", "a", "", "*", "?a", "http://site.test/a", "http://site.test", "http://site.test?x",
           "HTTP://SITE.TEST/a", "http://other.test/a", "http://site.test:80/a", "http://u@site.test/a", "https://site.test/a",
           "ftp://site.test/a", "site.test:80", "http:///a", "http:/a", "http://site.test/a/../b", "/a/./", "/a/..", "/a/...", "/.a", "/a" * 400]
LINES = ["GET  / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET /", "GET / HTTP", "GET / HTTP/1",
         "GET / HTTP/1.10", "GET / HTTP/01.1", "GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET / http/1.1", "GET / HTTP/1,1",
         "GET / HTTPS/1.1", "get / HTTP/1.1", "GeT / HTTP/1.1", "G\x00ET / HTTP/1.1", "GE T / HTTP/1.1", "GET / / HTTP/1.1", "GET /\x0b HTTP/1.1",
         "GET / HTTP/1.1\x00", "GET:/ HTTP/1.1", "", "PRI * HTTP/2.0", "TRACE / HTTP/1.1", "CONNECT site.test:80 HTTP/1.1",
         "OPTIONS * HTTP/1.1", "OPTIONS / HTTP/1.1", "PUT / HTTP/1.1", "DELETE / HTTP/1.1", "PATCH / HTTP/1.1", "HEAD / HTTP/1.1",
         "PROPFIND / HTTP/1.1", "M-SEARCH / HTTP/1.1"]
FIELDS = ["X-A: b", "X-A:b", "X-A:", "X-A:\t\tb\t", "X-A : b", "X-A\t: b", " X-A: b", "\tX-A: b", ": b", "X-A", "X A: b", "X-A: b\x00", "X-A: b\x01",
          "X-A: b\x7f", "X-A: \xe9", "X_A: b", "X.A: b", "X-A: b\r\n c", "X-A: b\r\n\tc", "X-A: b\n c", "X-\xe9: b", "X-A;: b", "X-A\x00: b",
          "(X): b", "X-A: " + "b" * 8000, "Content_Length: 5", "Content.Length: 5", "Transfer_Encoding: chunked",
          "Transfer-Encoding\x0b: chunked", "Connection: close", "Connection: keep-alive", "Connection: close, keep-alive",
          "Connection: Content-Length", "Connection: Transfer-Encoding", "Connection: Host", "Connection: X-A\r\nX-A: b", "Connection: ,,,",
          "Expect: 100-continue", "Expect: 100-Continue", "Expect: 200-ok", "Upgrade: websocket", "Upgrade: h2c",
          "Connection: Upgrade\r\nUpgrade: websocket", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
          "Content-Length: 0", "TE: trailers", "Trailer: X-A", "Keep-Alive: timeout=1", "Proxy-Connection: close", "Cookie: a=b; c=d",
          "X-Request-Id: mine", "X-Forwarded-For: 1.2.3.4", "Content-Encoding: chunked", "Range: bytes=0-1"]
FIELDS += [f"{a}: {b}" for a in ("Content-Length", "Transfer-Encoding") for b in ("5", "chunked")]


def bodies():
    five, done = "5\r\nhello\r\n", "0\r\n\r\n"
    yield from (length("hello", v) + SMUGGLED for v in LENGTHS)
    yield from (length("hello", v, more="X-A: b") for v in LENGTHS)
    yield from (post("hello", "Content-Length: 5", f"Content-Length: {v}") for v in ("5", "6", "4", "0", "", "chunked"))
    yield from (coded(five + done, c) + SMUGGLED for c in CODINGS)
    yield from (coded(five + done, c, name) for c in CODINGS[:6] for name in ("transfer-encoding", "Transfer-Encoding ", "Transfer-encoding\t"))
    yield from (post(five + done, f"Transfer-Encoding: {c}", "Transfer-Encoding: chunked") for c in CODINGS)
    for a, b in (("Content-Length: 5", "Transfer-Encoding: chunked"), ("Content-Length: 0", "Transfer-Encoding: chunked"),
                 ("Content-Length: 5", "Transfer-Encoding: identity"), ("Content-Length: 5", "Transfer-Encoding : chunked"),
                 ("Content-Length : 5", "Transfer-Encoding: chunked"), ("Content-Length: 5", "Transfer_Encoding: chunked"),
                 ("Content-Length: 5", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked")):
        yield from (post(five + done, *pair) + SMUGGLED for pair in ((a, b), (b, a)))
    yield from (coded(f"{s}\r\nhello\r\n{done}") + SMUGGLED for s in SIZES)
    yield from (coded(f"{five}{s}\r\n\r\n") + SMUGGLED for s in ("0", "00", "0 ", "+0", "-0", "0x0", "0;a", "0;a=\"b\"", "0;\n", "0\x00"))
    for end in ENDS:
        yield from (coded(f"5{end}hello\r\n{done}") + SMUGGLED, coded(f"5\r\nhello{end}{done}") + SMUGGLED,
                    coded(f"{five}0{end}\r\n") + SMUGGLED, coded(f"{five}0\r\n{end}") + SMUGGLED)
    for field in FIELDS:
        yield coded(f"{five}0\r\n{field}\r\n\r\n") + SMUGGLED  # as a trailer
    yield from (coded("5\r\nhell\r\n" + done), coded("5\r\nhelloX\r\n" + done), coded("5\r\nhello" + done), coded("5\r\nhel"), coded(""),
                coded("".join(f"1\r\n{c}\r\n" for c in "hello world") + done), length("x" * 20000), length("", 0),
                coded(f"{20000:x}\r\n{'y' * 20000}\r\n{done}"), length("hel", 5))


def whole():
    """Every request of the tables by itself."""
    yield from (get(t) for t in TARGETS)
    yield from (get(t, method=m) for t in TARGETS[:12] for m in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"))
    yield from (f"{line}\r\n{H}\r\n" for line in LINES)
    yield from (get("/h", host=h) for h in HOSTS)
    yield from (get("/h", host=h, version="1.0") for h in HOSTS)
    yield from (get("http://a/h", host=h) for h in HOSTS)
    yield from (get("/f", f + "\r\n") for f in FIELDS)
    yield from (length("hello", more=f) + SMUGGLED for f in FIELDS)
    yield from (get("/f", f + "\r\n", version="1.0") + SMUGGLED for f in FIELDS)
    for end in ENDS:
        yield from (f"GET /e HTTP/1.1{end}{H}\r\n", f"GET /e HTTP/1.1\r\nHost: site.test{end}\r\n", get("/e", f"X-A: b{end}X-B: c\r\n"),
                    f"GET /e HTTP/1.1\r\n{H}{end}" + SMUGGLED, end + get("/e"))
    yield from bodies()
    yield from ("\r\n" + get("/e"), "\r\n\r\n" + get("/e"), get("/e") + "\r\n" + get("/f"), "".join(get(f"/{i}") for i in range(20)),
                length("a") + coded("1\r\nb\r\n0\r\n\r\n") + length("c") + get("/d"), get("/c", "Connection: close\r\n") + SMUGGLED,
                get("/u", "Connection: Upgrade\r\nUpgrade: websocket\r\n") + SMUGGLED, get("/b", "Content-Length: 5\r\n") + "hello" + SMUGGLED,
                get("/b", "Content-Length: 5\r\n", method="HEAD") + "hello" + SMUGGLED, length("hello", more="Expect: 100-continue") + SMUGGLED,
                get("/b", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n" + SMUGGLED)


TOKENS = ["\r", "\n", "\r\n", "\0", " ", "\t", "\x0b", "\x7f", "\xff", "%00", "%2f", "%2e", "%", ";", "..", "/", "\\", ":", ",", "0x", "+", "-", "_",
          "#", "?", "*", "@", "\"", "chunked", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "HTTP/1.1", "HTTP/1.0", H, "X-A: b\r\n",
          "0\r\n\r\n", "5\r\nhello\r\n", "Connection: close\r\n", "1", "0", "f", "GET / HTTP/1.1\r\n"]


def mutate(rng, text, others):
    """One to three small changes. Half of them put in something that parsers look for."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(8)
        if kind <= 2:
            text = text[:at] + rng.choice(TOKENS) + text[at:]
        elif kind == 3:
            text = text[:at] + text[at + rng.randint(1, 4):]
        elif kind == 4:
            text = text[:at] + chr(rng.randrange(256)) + text[at + 1:]
        elif kind == 5:  # a line twice, or elsewhere
            lines = text.split("\r\n")
            line = rng.choice(lines)
            lines.insert(rng.randrange(len(lines)), line)
            text = "\r\n".join(lines)
        elif kind == 6:  # the end of another
            other = rng.choice(others)
            text = text[:at] + other[rng.randrange(len(other)):]
        else:
            end = at + rng.randint(1, 30)
            text = text[:at] + text[at:end].encode("latin-1").swapcase().decode("latin-1") + text[end:]
    return text


def corpus(seed, mutants):
    """All requests of the tables, then so many mutants of them; as bytes."""
    rng = random.Random(seed)
    tables = [t for t in whole() if t]
    small = [t for t in tables if len(t) < 2000]
    made = [mutate(rng, rng.choice(small), small) for _ in range(mutants)]
    return [t.encode("latin-1") for t in tables + [m for m in made if m]]
