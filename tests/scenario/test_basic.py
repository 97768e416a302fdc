"""The main job: requests are balanced over two servers, and one of them may go away without an error."""
from collections import Counter

from harness import Client, get, wait_for


def names(port, n, **kw):
    return Counter(get(port, **kw).body.decode().strip() for _ in range(n))


def test_requests_are_balanced_over_both_servers(world):
    s = world.serve(world.nginx("one"), world.nginx("two"))
    assert names(s.port(), 20) == {"one": 10, "two": 10}


def test_a_stopped_server_costs_no_request(world):
    one, two = world.nginx("one"), world.nginx("two")
    s = world.serve(one, two)
    with Client(s.port()) as c:
        before = [c.get() for _ in range(10)]
        two.kill()
        after = [c.get() for _ in range(50)]
    assert {r.status for r in before + after} == {200}
    assert {r.body for r in after} == {b"one\n"}


def test_no_server_left_is_a_503_or_502_and_it_comes_back(world):
    one = world.nginx("one")
    s = world.serve(one)
    one.kill()
    r = get(s.port(), extra="Accept: application/json\r\n")
    assert r.status in (502, 503)
    assert r.json()["status"] == r.status and r.json()["request_id"]
    one.start()
    assert get(s.port()).status == 200


def test_weights(world):
    a, b = world.nginx("a"), world.nginx("b")
    s = world.serve({"address": a.address, "weight": 3}, {"address": b.address, "weight": 1})
    assert names(s.port(), 40) == {"a": 30, "b": 10}


def test_a_sticky_client_stays_with_its_server(world):
    s = world.serve(world.nginx("a"), world.nginx("b"), pool={"sticky": "SRV"})
    first = get(s.port())
    cookie = first.field("set-cookie")
    assert cookie and cookie.startswith("SRV=")
    pair = cookie.split(";")[0]
    assert names(s.port(), 10, extra=f"Cookie: {pair}\r\n") == {first.body.decode().strip(): 10}


def test_a_server_that_fails_its_checks_gets_no_request(world):
    ok = world.nginx("ok")
    sick = world.nginx("sick", extra="location /health { return 500; }")
    s = world.serve(ok, sick, pool={"check": {"http": "/health", "interval": "100ms", "fall": 1, "rise": 1}})
    wait_for(lambda: "server.down" in s.log(), "the sick server is seen")
    assert names(s.port(), 10) == {"ok": 10}


def test_routes_by_host_and_path(world):
    a, b, c = world.nginx("a"), world.nginx("b"), world.nginx("c")
    s = world.serve(a, pools={n: {"servers": [x.address]} for n, x in (("a", a), ("b", b), ("c", c))},
                    routes=[{"pool": "a"}, {"host": "b.test", "pool": "b"}, {"path": "/c", "pool": "c"}])
    cases = [("x.test", "/", "a"), ("b.test", "/", "b"), ("b.test", "/c", "b"), ("x.test", "/c", "c"),
             ("x.test", "/c/d", "c"), ("x.test", "/cd", "a")]
    for host, path, want in cases:
        assert get(s.port(), path, host=host).body.decode().strip() == want, (host, path)


def test_the_access_log_tells_what_happened(world):
    one = world.nginx("one")
    s = world.serve(one)
    r = get(s.port(), "/page?q=1", extra="User-Agent: tester\r\n")
    assert r.status == 200
    line = s.access_line(url__original="/page?q=1")
    assert line["http.request.method"] == "GET" and line["http.response.status_code"] == 200
    assert line["source.ip"] == "127.0.0.1" and line["user_agent.original"] == "tester"
    assert line["sluis.pool"] == "web" and line["sluis.server"] == one.address
    assert line["http.request.id"] and line["@timestamp"].endswith("Z")


def test_metrics_and_health(world):
    s = world.serve(world.nginx("one"))
    for _ in range(3):
        get(s.port())
    assert get(s.admin_port, "/health", host="localhost").status == 200
    wait_for(lambda: s.metric("sluis_requests_total") >= 3, "three requests are counted")
    assert s.metric("sluis_responses_2xx_total") >= 3
