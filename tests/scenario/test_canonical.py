"""One reading of a path: the server gets what policies saw, and what has two readings gets 400."""
import pytest

from harness import World, get

FORWARDED = {  # raw: what the server gets
    "/": "/", "/a/b": "/a/b", "/a/b/": "/a/b/", "/a?x=/../y": "/a?x=/../y", "/a?": "/a?",
    "/a/./b": "/a/b", "/a/../b": "/b", "/a/b/..": "/a/", "/a/.": "/a/", "//a///b": "/a/b",
    "/%61": "/a", "/%7Euser": "/~user", "/a%20b": "/a%20b", "/%c3%a9": "/%C3%A9", "/a/%2e%2e/b": "/b", "/a/.%2E/b": "/b",
    "/a/%2e/b": "/a/b", "/a%3fb": "/a%3Fb", "/a%23b": "/a%23b", "/...": "/...", "/..a": "/..a",
    "/public/../admin": "/admin", "/public/%2e%2e/admin": "/admin", "/%61dmin": "/admin", "/./admin": "/admin", "//admin": "/admin",
}
REFUSED = ["/..", "/../a", "/a/../../b", "/%2e%2e/a", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/..\\a", "/a%00", "/a%00.html",
           "/a%0d%0aX: y", "/a%7f", "/a%", "/a%2", "/a%zz", "/%252e%252e/a", "/a%252fb", "/a%2500", "/%c0%ae%c0%ae/a",
           "/%c0%af", "/%e0%80%af", "/%ff", "/%ed%a0%80", "/a;b", "/a;x=1/../b", "/..;/a", "/a/..%3b/b"]
TRAVERSALS = ["/vpn/../vpns/x", "/vpn/%2e%2e/vpns/x", "/vpn/..%2fvpns/x", "/vpn/%252e%252e/vpns/x", "/vpn/..%252fvpns/x",
              "/vpns/x", "/%76pns/x", "/vpn/..//vpns/x", "/vpn/.%2e/vpns/x", "/vpn/..\\vpns/x", "/vpn/..%5cvpns/x",
              "/vpn/..;/vpns/x", "/./vpns/x", "//vpns/x"]


@pytest.fixture(scope="module")
def pair():
    w = World()
    backend = w.scripted()
    s = w.serve(backend, policies=[
        {"name": "no-admin", "if": 'http.path == "/admin"', "then": [{"block": 403}]},
        {"name": "no-vpns", "if": 'http.path contains "/vpns/"', "then": [{"block": 403}]}])
    yield backend, s
    w.close()


@pytest.mark.parametrize("raw", FORWARDED)
def test_the_server_gets_what_policies_saw(pair, raw):
    backend, s = pair
    before = len(backend.heads)
    r = get(s.port(), raw)
    if FORWARDED[raw] == "/admin":
        assert r.status == 403 and len(backend.heads) == before
    else:
        assert r.json()["target"] == FORWARDED[raw]


@pytest.mark.parametrize("raw", REFUSED)
def test_what_has_two_readings_is_refused(pair, raw):
    backend, s = pair
    before = len(backend.heads)
    assert get(s.port(), raw).status == 400
    assert len(backend.heads) == before


@pytest.mark.parametrize("raw", TRAVERSALS)
def test_no_traversal_to_vpns_reaches_a_server(pair, raw):
    backend, s = pair
    before = len(backend.heads)
    assert get(s.port(), raw).status in (400, 403)
    assert len(backend.heads) == before


def test_kept_slashes_and_parameters_stay_what_they_are(world):
    backend = world.scripted()
    s = world.serve(backend, canonical={"encoded_slash": "keep", "parameters": "keep"})
    for raw, want in {"/a%2fb": "/a%2Fb", "/a;v=1/b": "/a;v=1/b"}.items():
        assert get(s.port(), raw).json()["target"] == want
    for raw in ("/a/..;/b", "/a%00"):
        assert get(s.port(), raw).status == 400
