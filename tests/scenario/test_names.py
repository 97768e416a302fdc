"""Servers by name: DNS is asked again when the time to live is over, and its failures cost nothing that was known."""
import os
import threading

import pytest

from dns import NXDOMAIN, SERVFAIL, Dns
from harness import Client, Scripted, get, wait_for


def named(text):
    def script(server, sock, head, rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text.encode())
        return True
    return script


def servers(world, *hosts):
    """One server on each of these addresses, all on one port."""
    out = [Scripted(world, named(hosts[0]), at=(hosts[0], 0))]
    return out + [Scripted(world, named(h), at=(h, out[0].port)) for h in hosts[1:]]


def serve(world, dns, port, name="app.test", pool=None, **more):
    return world.serve(f"{name}:{port}", pool=dict({"retry": {"tries": 0}, "eject": {"failures": 0}}, **(pool or {})),
                       resolvers=[dns.address], **more)


def body(s):
    r = get(s.port())
    return r.body.decode() if r.status == 200 else str(r.status)


def known(s, *addresses):
    wait_for(lambda: f'addresses="{" ".join(addresses)}"' in s.log() or f"addresses={' '.join(addresses)}\n" in s.log() or
             f"addresses={' '.join(addresses)} " in s.log(), f"the name stands for {addresses}")


def test_requests_move_when_the_address_changes(world):
    old, new = servers(world, "127.0.0.2", "127.0.0.3")
    dns = Dns(world, app_test=["127.0.0.2"])
    s = serve(world, dns, old.port)
    with Client(s.port()) as c:
        assert c.get().body == b"127.0.0.2"
        kept = old.connections[-1]
        dns.zone["app.test"] = ["127.0.0.3"]
        known(s, "127.0.0.3")
        # The unused connection to the old address is closed, so that this one goes to the new.
        wait_for(lambda: kept.fileno() == -1, "the kept connection is closed")
        assert [c.get().body for _ in range(5)] == [b"127.0.0.3"] * 5


def test_a_connection_in_use_is_not_kept_after_its_address_is_gone(world):
    begun, go = threading.Event(), threading.Event()

    def slow(server, sock, head, rest):
        begun.set()
        go.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
        return True
    old = Scripted(world, slow, at=("127.0.0.2", 0))
    Scripted(world, named("new"), at=("127.0.0.3", old.port))
    dns = Dns(world, app_test=["127.0.0.2"])
    s = serve(world, dns, old.port)
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert begun.wait(20)
        dns.zone["app.test"] = ["127.0.0.3"]
        known(s, "127.0.0.3")
        wait_for(lambda: body(s) == "new", "new connections go to the new address")
        go.set()
        assert c.response().body == b"old"
        assert [c.get().body for _ in range(3)] == [b"new"] * 3
    wait_for(lambda: old.connections[0].fileno() == -1, "the old connection is closed")


def test_the_addresses_of_a_name_are_used_in_turn(world):
    a, b = servers(world, "127.0.0.2", "127.0.0.3")
    dns = Dns(world, ttl=60, app_test=["127.0.0.3", "127.0.0.2"])
    s = serve(world, dns, a.port, pool={"keep": 0})
    known(s, "127.0.0.2", "127.0.0.3")
    assert sorted(body(s) for _ in range(6)) == ["127.0.0.2"] * 3 + ["127.0.0.3"] * 3


def test_an_address_that_refuses_costs_no_request(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world, ttl=60, app_test=["127.0.0.2", "127.0.0.3"])
    s = serve(world, dns, a.port, pool={"keep": 0})
    assert [body(s) for _ in range(4)] == ["127.0.0.2"] * 4


FAILURES = {"no such name": NXDOMAIN, "server failure": SERVFAIL, "silence": None,
            "malformed": b"\x81\x80\0\1\0\1\0\0\0\0\xc0\x0c\0\1\0\1"}


@pytest.mark.parametrize("why", FAILURES)
def test_the_last_good_answer_is_kept(world, why):
    old, new = servers(world, "127.0.0.2", "127.0.0.3")
    dns = Dns(world, app_test=["127.0.0.2"])
    s = serve(world, dns, old.port)
    assert body(s) == "127.0.0.2"
    dns.zone["app.test"] = FAILURES[why]
    wait_for(lambda: "event=name.stale" in s.log(), "the failure is seen", 30)
    with Client(s.port()) as c:
        assert [c.get().body for _ in range(3)] == [b"127.0.0.2"] * 3
    assert "name.unknown" not in s.log()
    dns.zone["app.test"] = ["127.0.0.3"]
    wait_for(lambda: body(s) == "127.0.0.3", "it is asked again", 30)
    assert s.log().count("event=name.stale") == 1, "a failure that goes on is told once"


def test_a_name_that_is_unknown_at_the_start(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world)
    s = serve(world, dns, a.port)
    wait_for(lambda: "event=name.unknown" in s.log(), "the name is unknown")
    assert body(s) in ("502", "503")
    dns.zone["app.test"] = ["127.0.0.2"]
    wait_for(lambda: body(s) == "127.0.0.2", "it is asked again")


def test_the_start_does_not_wait_for_dns_but_requests_do(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world, app_test=["127.0.0.2"])
    dns.ready.clear()
    s = serve(world, dns, a.port, pool={"connect_time": "20s"})  # returns when the configuration is in use
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: s.metric("sluis_upstream_dials_total") >= 1, "the worker asked for a connection")
        assert a.heads == []
        dns.ready.set()
        assert c.response().body == b"127.0.0.2"


def test_a_request_waits_no_longer_than_a_connection_may_take(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world, app_test=None)
    s = serve(world, dns, a.port, pool={"connect_time": "300ms"})
    assert body(s) in ("502", "503", "504")
    assert a.connections == []


def test_ipv6_alone(world):
    a, = servers(world, "::1")
    dns = Dns(world, ttl=60, app_test=["::1"])
    s = serve(world, dns, a.port)
    assert body(s) == "::1"


def test_questions_of_one_family_that_vanish_do_not_hold_up_the_other(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world, ttl=60, app_test=lambda query, over_tcp: None if b"\4test\0\0\x1c" in query else ["127.0.0.2"])
    s = serve(world, dns, a.port, pool={"connect_time": "3s"})
    assert body(s) == "127.0.0.2"


def test_an_answer_that_is_too_long_for_a_packet_comes_by_tcp(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world, ttl=60, app_test=lambda query, over_tcp: ["127.0.0.2"] if over_tcp else "truncated")
    s = serve(world, dns, a.port)
    assert body(s) == "127.0.0.2"
    assert dns.tcp_queries


def test_answers_of_another_question_are_not_taken(world):
    good, evil = servers(world, "127.0.0.2", "127.0.0.3")

    def forged(query, over_tcp):
        # Before the answer come ones with another id, and with another name.
        q = query[12:]
        for data in (bytes([query[0] ^ 1]) + query[1:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[:q.index(b"\0") + 5],
                     query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0\4evil\4test\0" + q[q.index(b"\0") + 1:q.index(b"\0") + 5]):
            dns.udp.sendto(data + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\3", dns.peer)
        return ["127.0.0.2"]
    dns = Dns(world, ttl=60, app_test=forged)
    s = serve(world, dns, good.port, pool={"keep": 0})
    assert [body(s) for _ in range(4)] == ["127.0.0.2"] * 4
    assert evil.connections == []


def test_localhost_is_known_without_dns(world):
    a, = servers(world, "127.0.0.1")
    dns = Dns(world)
    s = serve(world, dns, a.port, name="localhost")
    assert body(s) == "127.0.0.1"
    assert not [q for q in dns.queries if "localhost" in q[0]]


def test_a_pool_of_names_and_addresses_and_a_name_with_two_ports(world):
    a, b = world.scripted(named("a")), world.scripted(named("b"))
    dns = Dns(world, ttl=60, one_test=["127.0.0.1"])
    s = world.serve(f"one.test:{a.port}", f"ONE.test:{b.port}", a, resolvers=[dns.address], pool={"keep": 0})
    assert sorted(body(s) for _ in range(6)) == ["a"] * 4 + ["b"] * 2
    assert len(dns.queries) == 2, "one question of each family for both"


def test_names_after_a_reload_and_a_dialer_that_dies(world):
    old, new = servers(world, "127.0.0.2", "127.0.0.3")
    dns = Dns(world, app_test=["127.0.0.2"])
    s = serve(world, dns, old.port)
    with Client(s.port()) as c:
        assert c.get().body == b"127.0.0.2"
        kept = old.connections[-1]
        # The name moves while there is no dialer: the next one tells the workers.
        pid = s.pids("dialer")[0]
        dns.zone["app.test"] = ["127.0.0.3"]
        os.kill(pid, 9)
        wait_for(lambda: kept.fileno() == -1, "the connection to the old address is closed")
        wait_for(lambda: body(s) == "127.0.0.3", "the new dialer connects")
    dns.zone["app.test"] = ["127.0.0.2"]
    s.reload()
    wait_for(lambda: body(s) == "127.0.0.2", "the new generation asks anew")


def test_the_dialer_holds_no_file_and_can_open_none(world):
    a, = servers(world, "127.0.0.2")
    dns = Dns(world, app_test=["127.0.0.2"])
    s = serve(world, dns, a.port)
    assert body(s) == "127.0.0.2"
    wait_for(lambda: len(dns.queries) >= 4, "the name is asked for again, after the confinement")
    pid = s.pids("dialer")[0]
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    log = os.path.realpath(s.process.log_path)
    held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert [h for h in held if not h.startswith(("socket:", "anon_inode:", "/dev/null")) and h != log] == []


def test_a_resolver_that_is_none_is_refused(world):
    dns = Dns(world)
    s = serve(world, dns, 1)
    s.config["resolvers"] = ["dns.example.org"]
    s.write()
    r = s.cli("check", s.file, ok=False)
    assert r.returncode != 0
    assert "'dns.example.org' is not the address of a DNS server" in r.stdout + r.stderr
