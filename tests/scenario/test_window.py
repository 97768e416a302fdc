"""sluis window over real traffic: who, when, how often, how much, the second step, and the page."""
import datetime
import glob
import gzip
import json
import os
import re
import sqlite3
import subprocess

import pytest

from harness import BUILD, Client, get, wait_for
from test_ledger import folder, rows, serve


def window(s, *args, ok=True):
    r = s.cli("window", "--ledger", folder(s), "--json", *args, ok=ok)
    return json.loads(r.stdout) if r.returncode == 0 else r


def ended(s, n):
    return wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='use' AND state IN ('whole', 'close')")) >= n, f"{n} uses")


def test_what_clients_did_is_answered(world):
    s, servers = serve(world, backends=2)
    sizes = [len(get(s.port(), "/").body) for _ in range(6)]
    ended(s, 6)
    answer = window(s, "--with", "127.0.0.1", "--from", "-1h")
    assert sum(r["connections"] for r in answer["systems"]) == 6
    assert sum(r["bytes_out"] for r in answer["systems"]) == sum(sizes)
    assert {r["target"] for r in answer["systems"]} == {f"127.0.0.1:{n.port}" for n in servers}
    one = window(s, "--with", f"127.0.0.1:{servers[0].port}", "--from", "-1h")["systems"]
    assert [r["target"] for r in one] == [f"127.0.0.1:{servers[0].port}"]
    assert window(s, "--with", "web", "--from", "-1h")["systems"] == answer["systems"]
    assert window(s, "--with", "10.0.0.1", "--from", "-1h")["systems"] == []
    early = window(s, "--from", "2001-01-01", "--to", "2001-01-02")
    assert early["systems"] == [] and early["days_without_ledger"] == "2001-01-01, 2001-01-02"
    years = window(s, "--from", "2001-01-01", "--to", "2003-12-31")
    assert years["days_without_ledger"] == "2001-01-01 .. 2003-12-31"


def test_a_network_is_asked_for(world):
    """Clients by what a trusted peer says of them, targets by where they are."""
    s, _ = serve(world, listener={"trusted_peers": ["127.0.0.1/32"]})
    for client in ("10.1.2.3", "10.200.0.1", "192.0.2.7", "2001:db8:1::5", "2001:db9::1"):
        assert get(s.port(), "/", extra=f"X-Forwarded-For: {client}\r\n").status == 200
    ended(s, 5)
    everything = window(s, "--from", "-1h")["systems"]
    assert len(everything) == 5
    for what, clients in (("10.0.0.0/8", {"10.1.2.3", "10.200.0.1"}), ("10.1.0.0/16", {"10.1.2.3"}), ("2001:db8::/32", {"2001:db8:1::5"}),
                          ("client:10.128.0.0/9", {"10.200.0.1"}), ("client:127.0.0.0/8", set()), ("target:10.0.0.0/8", set()),
                          ("0.0.0.0/0", {r["client"] for r in everything}), ("client:0.0.0.0/0", {"10.1.2.3", "10.200.0.1", "192.0.2.7"}),
                          ("127.0.0.0/8", {r["client"] for r in everything}), ("target:127.0.0.1/32", {r["client"] for r in everything}),
                          ("172.16.0.0/12", set())):
        answer = window(s, "--from", "-1h", "--with", what)
        assert {r["client"] for r in answer["systems"]} == clients, what
        assert [r for r in everything if r["client"] in clients] == answer["systems"] and answer["with"] == what
    steps = window(s, "--from", "-1h", "--with", "10.1.0.0/16", "--hops", "2")["systems"]
    assert [(r["hop"], r["client"]) for r in steps][0] == (1, "10.1.2.3") and len(steps) == 5 and {r["hop"] for r in steps[1:]} == {2}


def test_a_connection_that_is_open_is_told(world):
    s, _ = serve(world)
    with Client(s.port()) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.response().status == 200
        wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use' AND state='open'"), "the use")
        [r] = window(s, "--from", "-1h")["systems"]
        assert r["open_at_end"] and not r["open_before"]
        at = rows(s, "SELECT max(at) AS at FROM record WHERE kind='use'")[0]["at"]
        get(s.port(), "/")
        wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='use' AND state IN ('whole', 'close')"), "another use")
        later = datetime.datetime.fromtimestamp(at / 1e6 + 0.000001, datetime.timezone.utc)
        # a window that begins after it had opened: it is still counted, with the mark
        fraction = later.strftime("%Y-%m-%dT%H:%M:%SZ")
        [r] = window(s, "--from", fraction)["systems"]
        assert r["connections"] == 2


ISOLATED = ["10.1.0.0/16", "192.0.2.7", "web", "web/b", "10.0.0.5:80", "eva", "node"]
TOUCHED = {"10.1.2.3": ["10.1.0.0/16"], "10.2.2.3": [], "192.0.2.7": ["192.0.2.7"], "client:192.0.2.7": ["192.0.2.7"], "target:192.0.2.7": [],
           "user:192.0.2.7": [], "10.0.0.0/8": ["10.1.0.0/16", "10.0.0.5:80"], "client:10.0.0.0/8": ["10.1.0.0/16"],
           "target:10.0.0.0/8": ["10.0.0.5:80"], "10.1.2.0/24": ["10.1.0.0/16"], "172.16.0.0/12": [], "10.0.0.5": ["10.0.0.5:80"],
           "10.0.0.5:80": ["10.0.0.5:80"], "10.0.0.5:81": [], "web": ["web", "web/b"], "web/b": ["web", "web/b"], "web/a": ["web"],
           "we": [], "webb": [], "user:eva": ["eva"], "user:ev": [], "user:web": []}


def test_an_isolation_is_told_to_whom_it_touches(world):
    s = world.serve({"address": "127.0.0.1:9", "name": "a"}, {"address": "10.0.0.5:80", "name": "b"})
    for what in ISOLATED:
        s.cli("isolate", what, *(["--as", "user"] if what == "eva" else []), "--reason", "case 12")
    wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='isolation'")) == len(ISOLATED), "the isolations in the ledger")
    kinds = {"10.1.0.0/16": "client", "192.0.2.7": "client", "eva": "user", "node": "node"}
    for who, names in TOUCHED.items():
        events = window(s, "--with", who, "--from", "-1h")["events"]
        told = [(e["kind"], e["user"], e["what"]) for e in events]
        expected = [("isolation", "uid 0", f"isolated {kinds.get(n, 'target')} {n}: case 12") for n in ISOLATED if n in [*names, "node"]]
        assert told == expected, (who, told)
    assert "events" not in window(s, "--from", "-1h")  # of everybody: sluis ledger export


def test_refused_requests_are_told_of_a_client(world):
    """Those of the window, of whoever is asked for, also without an index (a file of before it), and as people read them."""
    s, _ = serve(world, policies=[{"name": "closed", "if": 'starts_with(http.path, "/closed")', "then": ["block"]}],
                 listener={"trusted_peers": ["127.0.0.1/32"]})
    for client in ("192.0.2.7", "198.51.100.1", "192.0.2.7"):
        assert get(s.port(), "/closed/x", extra=f"X-Forwarded-For: {client}\r\n").status == 403
    assert get(s.port(), "/", extra="X-Forwarded-For: 192.0.2.7\r\n").status == 200
    wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='policy'")) == 3, "the refusals in the ledger")
    events = window(s, "--with", "192.0.2.7", "--from", "-1h")["events"]
    assert [(e["kind"], e["from"]) for e in events] == [("refused", "192.0.2.7")] * 2
    assert "closed" in events[0]["what"] and "/closed/" in events[0]["what"] and events[0]["record"] < events[1]["record"]
    assert window(s, "--with", "client:192.0.2.0/24", "--from", "-1h")["events"] == events
    assert window(s, "--with", "target:192.0.2.7", "--from", "-1h")["events"] == []
    assert window(s, "--with", "192.0.2.7", "--from", "2001-01-01", "--to", "2001-01-02")["events"] == []
    page = os.path.join(world.dir, "window.html")
    told = s.cli("window", "--ledger", folder(s), "--with", "192.0.2.7", "--html", page, "--lang", "nl").stdout
    assert "Aanmeldingen, weigeringen, isolaties" in told and told.count(" refused ") == 2, told
    with open(page) as f:
        assert "Aanmeldingen, weigeringen, isolaties" in (text := f.read()) and "/closed/" in text
    assert s.process.stop() == 0
    [name] = glob.glob(folder(s) + "/*.ledger")
    db = sqlite3.connect(name)
    assert "record_event" in str(db.execute("EXPLAIN QUERY PLAN SELECT at FROM record WHERE state IS NULL AND at BETWEEN 1 AND 2 AND kind IN ('policy')").fetchall())
    db.execute("DROP INDEX record_event")
    db.commit()
    db.close()
    assert window(s, "--with", "192.0.2.7", "--from", "-1h")["events"] == events


def test_segments_and_records_give_the_same(world, tmp_path):
    """The same records with and without sums: every window over them has the same answer."""
    s, _ = serve(world)
    for _ in range(5):
        get(s.port(), "/")
    ended(s, 5)
    assert s.process.stop() == 0
    name = glob.glob(folder(s) + "/*.ledger")[0]
    plain = window(s, "--from", "-1h")["systems"]
    db = sqlite3.connect(name)
    first, last, first_us, last_us = db.execute("SELECT min(seq), max(seq), min(at), max(at) FROM record").fetchone()
    db.execute("INSERT INTO segment VALUES(1, ?, ?, ?, ?)", (first, last, first_us, last_us))
    db.execute("""INSERT INTO contact SELECT 1, client, target, coalesce(user, ''), name, min(start), max("end"), count(*), count(*), 0,
                  sum(bytes_in), sum(bytes_out) FROM record WHERE kind='use' AND state='whole' GROUP BY client, target, user""")
    db.commit()
    whole = db.execute("SELECT count(*) FROM record WHERE kind='use' AND state<>'whole'").fetchone()[0]
    db.close()
    if whole == 0:
        assert window(s, "--from", "-1h")["systems"] == plain
        assert s.cli("ledger", "verify", folder(s), ok=False).returncode == 0


def test_the_page_stands_alone(world):
    s, _ = serve(world)
    get(s.port(), "/")
    ended(s, 1)
    page = os.path.join(world.dir, "window.html")
    s.cli("window", "--ledger", folder(s), "--with", "127.0.0.1", "--html", page, "--lang", "nl", "--hops", "2")
    with open(page) as f:
        text = f.read()
    assert '<html lang="nl">' in text and "Wie was verbonden" in text and "<svg" in text
    assert not re.search(r"<script|src=|href=|url\(|@import", text)


def test_mistakes_are_told(world):
    s, _ = serve(world)
    for args, what in ((["--from", "yesterday"], "is no time"), (["--from", "now", "--to", "-1h"], "--from is after --to"),
                       (["--hops", "2"], "needs --with"), (["--hops", "3", "--with", "a"], "1 or 2"), (["--limit", "0"], "1 or more"),
                       (["--nonsense", "x"], "not an option"), (["--from", "2999-01-01", "--to", "2999-01-02"], "future"),
                       (["--from", "2020-02-30"], "is no time"), (["--with", "10.0.0.999"], "is no address"),
                       (["--with", "192.0.2.1/24"], "is no network"), (["--with", "client:10.0.0.0/33"], "is no network"),
                       (["--with", "10.0/8"], "is no network"), (["--with", "x" * 300], "250 characters")):
        r = s.cli("window", "--ledger", folder(s), *args, ok=False)
        assert r.returncode == 2 and what in r.stderr, (args, r.stderr)
    r = s.cli("window", "--ledger", "/nonexistent", ok=False)
    assert r.returncode == 1 and "there is no ledger" in r.stderr


def test_a_damaged_file_gives_no_half_answer(world):
    s, _ = serve(world)
    for _ in range(3):
        get(s.port(), "/")
    ended(s, 3)
    assert s.process.stop() == 0
    name = glob.glob(folder(s) + "/*.ledger")[0]
    db = sqlite3.connect(name)
    db.execute("PRAGMA journal_mode=DELETE")
    page, root = db.execute("PRAGMA page_size").fetchone()[0], db.execute("SELECT rootpage FROM sqlite_master WHERE name='record'").fetchone()[0]
    db.close()
    with open(name, "r+b") as f:
        f.seek((root - 1) * page)
        f.write(b"\xff" * page)
    r = window(s, "--from", "-1h", ok=False)
    assert r.returncode == 1 and "cannot be read" in r.stderr


def test_the_second_step_goes_both_ways(world):
    s, servers = serve(world, backends=2)
    for _ in range(4):
        get(s.port(), "/")
    ended(s, 4)
    answer = window(s, "--from", "-1h", "--with", f"127.0.0.1:{servers[0].port}", "--hops", "2")
    assert [(r["target"], r["hop"]) for r in answer["systems"]] == [(f"127.0.0.1:{servers[0].port}", 1), (f"127.0.0.1:{servers[1].port}", 2)]


NS_LOG = """Jan  9 12:34:56 <local0.info> 10.0.0.1 01/09/2020:12:34:56 GMT ns 0-PPE-0 : default TCP CONN_DELINK 1234 0 :  Source 192.0.2.1:1025 - Vserver 10.0.0.2:443 - NatIP 10.0.0.3:4711 - Destination 10.0.0.11:80 - Delink Time 01/09/2020:12:34:56 GMT - Total_bytes_send 1200 - Total_bytes_recv 340
Jan 19 02:00:00 <local0.info> 10.0.0.1 01/19/2020:02:00:00 GMT ns 0-PPE-0 : default TCP CONN_DELINK 1235 0 :  Source 192.0.2.7:1026 - Vserver 10.0.0.2:443 - NatIP 10.0.0.3:4712 - Destination 10.0.0.12:80 - Delink Time 01/19/2020:02:00:00 GMT - Total_bytes_send 1 - Total_bytes_recv 2
junk
"""


NS_PEOPLE = """Jan  9 12:34:56 <local0.info> 10.0.0.1 01/09/2020:12:34:56 GMT ns 0-PPE-0 : default TCP CONN_DELINK 1 0 :  Source 192.0.2.1:1025 - Vserver 10.0.0.2:443 - NatIP 10.0.0.3:4711 - Destination 10.0.0.11:80 - Delink Time 01/09/2020:12:34:56 GMT - Total_bytes_send 1200 - Total_bytes_recv 340
Jan  9 12:35:00 <local0.info> 10.0.0.1 01/09/2020:12:35:00 GMT ns 0-PPE-0 : default TCP CONN_DELINK 2 0 :  Source 192.0.2.9:1026 - Vserver 10.0.0.2:443 - NatIP 10.0.0.3:4712 - Destination 10.0.0.11:80 - Delink Time 01/09/2020:12:35:00 GMT - Total_bytes_send 1 - Total_bytes_recv 2
Jan  9 12:36:00 <local0.info> 10.0.0.1 01/09/2020:12:36:00 GMT ns 0-PPE-0 : default SSLVPN LOGIN 3 0 : Context u@192.0.2.1 - SessionId: 8 - User u - Client_ip 192.0.2.1 - Nat_ip "Mapped Ip" - Vserver 10.0.0.2:443 - Browser_type "X" - SSLVPN_client_type Agent - Group(s) "g"
Jan  9 12:37:00 <local0.info> 10.0.0.1 01/09/2020:12:37:00 GMT ns 0-PPE-0 : default AAA LOGIN_FAILED 4 0 :  User <b>bob\xff - Client_ip 192.0.2.1 - Failure_reason "Username/Password mismatch" - Browser curl/8
Jan  9 12:38:00 <local0.info> 10.0.0.1 01/09/2020:12:38:00 GMT ns 0-PPE-0 : default CLI CMD_EXECUTED 5 0 :  User nsroot - ADM_User NONE - Remote_ip 10.9.9.9 - Command "show ns ip" - Status "Success"
"""


def test_an_appliances_log_tells_who_signed_in_and_what_was_commanded(world):
    name, page = os.path.join(world.dir, "ns.log"), os.path.join(world.dir, "page.html")
    with open(name, "w", encoding="latin-1") as f:
        f.write(NS_PEOPLE)

    def ask(*args):
        r = subprocess.run([os.path.join(BUILD, "sluis"), "window", "--ns-log", name, "--from", "2020-01-09", "--to", "2020-01-10", *args],
                           capture_output=True, text=True, timeout=60, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        assert r.returncode == 0, r.stderr
        return r.stdout

    events = json.loads(ask("--json"))["events"]
    assert [(e["kind"], e["user"], e["from"], e["what"], e["suspect"], e["line"]) for e in events] == [
        ("sign-in", "u", "192.0.2.1", "10.0.0.2:443", False, 3),
        ("refused", "<b>bob?", "192.0.2.1", "Username/Password mismatch", True, 4),
        ("command", "nsroot", "10.9.9.9", "show ns ip", False, 5)]
    assert [e["kind"] for e in json.loads(ask("--json", "--with", "192.0.2.1"))["events"]] == ["sign-in", "refused"]
    assert [e["kind"] for e in json.loads(ask("--json", "--with", "user:NSROOT"))["events"]] == ["command"]
    told = ask("--html", page, "--lang", "nl")
    assert "Aanmeldingen en opdrachten" in told and "show ns ip" in told and "!refused" in told
    with open(page) as f:
        assert "show ns ip" in (text := f.read()) and "van deze voordeur" not in text and "logboeken van het apparaat" in text and "&lt;b&gt;bob?" in text and "<b>" not in text
    two = json.loads(ask("--json", "--with", "192.0.2.1", "--hops", "2"))["systems"]
    assert [(r["client"], r["target"], r["hop"]) for r in two] == [("192.0.2.1", "10.0.0.11:80", 1), ("192.0.2.9", "10.0.0.11:80", 2)]


@pytest.mark.parametrize("packed", [False, True])
def test_an_appliances_log_is_asked_the_same(world, packed):
    name = os.path.join(world.dir, "ns.log.0.gz" if packed else "ns.log")
    with (gzip.open if packed else open)(name, "wt") as f:
        f.write(NS_LOG)

    def ask(*args):
        r = subprocess.run([os.path.join(BUILD, "sluis"), "window", "--ns-log", name, "--json", *args], capture_output=True, text=True, timeout=60,
                           env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))  # which would look at itself from outside the jail
        assert r.returncode == 0, r.stderr
        return json.loads(r.stdout)

    answer = ask("--from", "2020-01-09", "--to", "2020-01-10")
    assert [(r["client"], r["target"], r["bytes_in"], r["bytes_out"]) for r in answer["systems"]] == [("192.0.2.1", "10.0.0.11:80", 1200, 340)]
    assert "1 damaged" in answer["ns_log"] and "month" in answer["ns_log"]
    assert [r["client"] for r in ask("--from", "2020-01-01", "--to", "2020-02-01", "--with", "10.0.0.12")["systems"]] == ["192.0.2.7"]
    for network, clients in (("10.0.0.12/30", ["192.0.2.7"]), ("target:10.0.0.8/29", ["192.0.2.1", "192.0.2.7"]), ("client:10.0.0.0/8", []),
                             ("192.0.2.4/30", ["192.0.2.7"])):
        found = ask("--from", "2020-01-01", "--to", "2020-02-01", "--with", network)["systems"]
        assert sorted(r["client"] for r in found) == clients, network
    assert ask("--from", "2020-01-11", "--to", "2020-01-12")["systems"] == []
