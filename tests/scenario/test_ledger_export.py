"""sluis ledger export: every record of the files as a line of JSON from which it can be put together again, selections, damage that is
told and stepped over, a ledger that is written meanwhile."""
import datetime
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from harness import RELEASE, ROOT, Client, World, get, run_small, wait_for
from test_ledger import folder, rows, serve, verify

NUMBERS = {"sluis.ledger.seq": "seq", "sluis.ledger.batch": "batch", "source.port": "client_port", "sluis.connection": "conn",
           "source.bytes": "bytes_in", "destination.bytes": "bytes_out"}
TEXTS = {"sluis.ledger.kind": "kind", "sluis.ledger.state": "state", "source.ip": "client", "sluis.listener": "listener",
         "sluis.session": "session", "user.name": "user", "sluis.process": "process", "event.reason": "outcome"}


def export(s, *args, where=None, status=0):
    r = s.cli("ledger", "export", "--ledger", where or folder(s), *args, ok=False)
    assert r.returncode == status, (r.returncode, r.stdout[-500:], r.stderr)
    return [json.loads(line) for line in r.stdout.splitlines()], r.stderr


def microseconds(when):
    assert len(when) == len("2020-01-09T12:00:00.000000Z"), when
    since = datetime.datetime.fromisoformat(when.replace("Z", "+00:00")) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(microseconds=1)


def name_of(line):
    if line["sluis.ledger.kind"] == "policy":
        return "/".join(line[k] for k in ("rule.ruleset", "rule.name") if k in line) or None
    if "sluis.pool" in line:
        return line["sluis.pool"] + "/" + line["sluis.server"]
    return line.get("sluis.command", line.get("sluis.name"))


def detail_of(line):
    if "url.original" in line:
        return " ".join(line.get(k, "") for k in ("http.request.method", "url.domain", "url.original"))
    return line.get("sluis.config.sha256", line.get("message"))


def target_of(line):
    if "destination.ip" not in line:
        return None
    ip = line["destination.ip"]
    return f"{'[' + ip + ']' if ':' in ip else ip}:{line['destination.port']}"


def record_of(line):
    """The columns of the record that the line was made from."""
    r = {column: line.get(key) for key, column in (NUMBERS | TEXTS).items()}
    r["at"] = microseconds(line["@timestamp"])
    r["start"], r["end"] = (microseconds(line[k]) if k in line else None for k in ("event.start", "event.end"))
    r["name"], r["detail"], r["target"] = name_of(line), detail_of(line), target_of(line)
    r["requests"] = line.get("sluis.ledger.lost" if r["kind"] == "ledger" else "sluis.requests")
    return r


@pytest.fixture(scope="module")
def written():
    world = World()
    s, _ = serve(world, policies=[{"name": "no-vpns", "if": 'http.path contains "/vpns/"', "then": [{"block": 403}]}])
    for i in range(6):
        get(s.port(), "/")
        wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='use' AND state IN ('whole','close')")) > i, "the record")
    assert get(s.port(), '/vpns/"x\\').status in (400, 403)
    assert get(s.port(), "/vpns/a?b='c'").status == 403
    wait_for(lambda: rows(s, "SELECT 1 FROM record WHERE kind='policy'"), "the hit")
    s.reload()
    wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='config'")) == 2, "the second configuration")
    assert s.process.stop() == 0
    yield s
    world.close()


def test_every_record_comes_out_whole(written):
    lines, told = export(written)
    records = [{k: r[k] for k in r.keys() if k != "mark"} for r in rows(written)]
    assert [record_of(line) for line in lines] == records
    assert {r["kind"] for r in records} >= {"in", "use", "out", "policy", "config", "command", "ledger"}
    assert f"{len(records)} records of " in told and "sluis ledger verify" in told and told.count("\n") == 1
    for line in lines:
        assert line["event.kind"] and line["event.category"] and line["event.type"] and line["event.action"]
        assert line["observer.vendor"] == line["observer.product"] == "Sluis" and line["observer.version"]
        assert "sluis.ledger.damaged" not in line
    use = next(x for x in lines if x["sluis.ledger.kind"] == "use" and x["sluis.ledger.state"] in ("whole", "close"))
    assert use["network.bytes"] == use["source.bytes"] + use["destination.bytes"] > 0 and use["event.duration"] >= 0
    assert use["event.category"] == ["network"] and use["event.type"][0] == "connection" and use["event.type"][-1] == "end"
    hit = next(x for x in lines if x["sluis.ledger.kind"] == "policy")
    assert hit["event.outcome"] == "failure" and "denied" in hit["event.type"] and hit["rule.name"] == "no-vpns"


def test_only_what_was_asked_for(written):
    everything = rows(written)
    day = os.path.basename(glob.glob(folder(written) + "/*.ledger")[0])[:10]
    for kinds in ("use", "config, command", "health", "in,out,use"):
        wanted = [r["seq"] for r in everything if r["kind"] in [k.strip() for k in kinds.split(",")]]
        lines, told = export(written, "--kind", kinds)
        assert [x["sluis.ledger.seq"] for x in lines] == wanted
        assert told.startswith(f"{len(wanted)} records")
    assert rows(written, "SELECT 1 FROM record WHERE kind='config'")
    edges = sorted({r["at"] // 1000000 for r in everything})
    for edge in edges:
        moment = datetime.datetime.fromtimestamp(edge, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines, _ = export(written, "--from", moment)
        assert [x["sluis.ledger.seq"] for x in lines] == [r["seq"] for r in everything if r["at"] >= edge * 1000000] and lines
        lines, _ = export(written, "--to", moment)  # its whole second belongs to it
        assert [x["sluis.ledger.seq"] for x in lines] == [r["seq"] for r in everything if r["at"] < (edge + 1) * 1000000] and lines
    assert {x["sluis.ledger.day"] for x in lines} == {day}
    assert len(edges) > 1


def test_days_without_a_file_are_named(written):
    lines, told = export(written, "--from", "2001-01-30", "--to", "2001-02-02")
    assert lines == [] and "no ledger of 2001-01-30 to 2001-02-02" in told and "0 records" in told
    lines, told = export(written, "--from", "-10d")
    assert len(lines) == len(rows(written)) and told.count("there is no ledger of ") == 1 and len(told.splitlines()) == 2
    lines, told = export(written, "--lang", "nl", "--from", "2001-01-30", "--to", "2001-02-02")
    assert "er is geen grootboek van 2001-01-30 tot en met 2001-02-02" in told and "0 records geëxporteerd" in told
    _, told = export(written, "--json", "--from", "2001-01-30", "--to", "2001-02-02")
    assert json.loads(told)["days_without_ledger"] == [{"first": "2001-01-30", "last": "2001-02-02"}]


def test_a_file_is_there_whole_or_not_at_all(written, tmp_path):
    out = tmp_path / "ledger.ndjson"
    lines, _ = export(written)
    assert export(written, "--output", str(out))[0] == []
    assert [json.loads(x) for x in out.read_text().splitlines()] == lines and out.stat().st_mode & 0o777 == 0o600
    out.write_text("precious")
    assert "is not overwritten" in export(written, "--output", str(out), status=2)[1]
    assert "wordt niet overschreven" in export(written, "--lang", "nl", "--output", str(out), status=2)[1]
    assert out.read_text() == "precious"
    assert "cannot be written" in export(written, "--output", str(tmp_path / "no" / "folder"), status=2)[1]
    assert "no ledger in" in export(written, "--output", str(tmp_path / "other"), where=str(tmp_path), status=2)[1]
    assert os.listdir(tmp_path) == ["ledger.ndjson"]


@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_pipe_ends_it_quietly(written, ignored):
    reader, writer = os.pipe()
    os.close(reader)
    r = subprocess.run([os.path.join(written.build, "sluis"), "ledger", "export", "--ledger", folder(written)], stdout=writer,
                       stderr=subprocess.PIPE, restore_signals=not ignored, timeout=60)
    os.close(writer)
    assert r.returncode == -signal.SIGPIPE and r.stderr == b"", (r.returncode, r.stderr)


def test_a_full_disk_is_told(written):
    with open("/dev/full", "w") as full:
        r = subprocess.run([os.path.join(written.build, "sluis"), "ledger", "export", "--ledger", folder(written)], stdout=full,
                           stderr=subprocess.PIPE, timeout=60)
    assert r.returncode == 2 and b"cannot be written: No space left" in r.stderr


@pytest.mark.parametrize("args, told", [
    (["--from", "yesterday"], "--from 'yesterday' is no time; write"),
    (["--to", "2020-13-01"], "--to '2020-13-01' is no time"),
    (["--from", "2020-01-02", "--to", "2020-01-01"], "--from is later than --to"),
    (["--kind", "uses"], "--kind 'uses': no kind of record is called so; write one or more of in, use, out, policy, config"),
    (["--kind", "in,"], "--kind 'in,'"),
    (["--format", "csv"], "'--format' is not an option"),
    (["--kind"], "'--kind' is not an option of sluis ledger export with a value"),
])
def test_wrong_calls_are_told(written, args, told):
    assert told in export(written, *args, status=2)[1]
    assert export(written, "--lang", "nl", *args, status=2)[1] != export(written, *args, status=2)[1]


DAMAGE = {
    "a changed record": ("UPDATE record SET client='192.0.2.99' WHERE seq=7", 0, ["record 7 is not what was written (mark)"]),
    "another type": ("UPDATE record SET detail=x'00' WHERE seq=6", 0, ["record 6 is not what was written (detail)"]),
    "a time that is none": ("UPDATE record SET at=-5 WHERE seq=6", 0, ["record 6 is not what was written (at)"]),
    "a removed record": ("DELETE FROM record WHERE seq=9", 1, ["records 9 to 9 are not there"]),
    "removed at both ends": ("DELETE FROM record WHERE seq<=2 OR seq=(SELECT max(seq) FROM record)", 3, ["records 1 to 2 are not there",
                             "records {last} to {last} are not there"]),
    "a value of a megabyte": ("UPDATE record SET detail=hex(zeroblob(500000)) WHERE seq=6", 1, ["records 6 to 6 are damaged"]),
    "a kind that is none": ("UPDATE record SET kind='\"x' WHERE seq=6", 0, ["record 6 is not what was written (kind)"]),
}


@pytest.mark.parametrize("why", DAMAGE)
def test_damage_is_told_and_the_rest_exported(written, tmp_path, why):
    sql, lost, told = DAMAGE[why]
    where = str(tmp_path / "ledger")
    shutil.copytree(folder(written), where)
    with sqlite3.connect(glob.glob(where + "/*.ledger")[0]) as db:
        db.executescript(sql)
    lines, said = export(written, where=where, status=1)
    last = len(rows(written))
    assert len(lines) == last - lost
    assert [x["sluis.ledger.seq"] for x in lines if "sluis.ledger.damaged" in x] == [int(t.split()[1]) for t in told if "not what" in t]
    assert len(said.splitlines()) == len(told) + 1, said
    for line, part in zip(said.splitlines(), told):
        assert part.format(last=last) in line, said
    assert not verify(written, where)["ok"]
    findings = json.loads(export(written, "--json", where=where, status=1)[1])["findings"]
    assert len(findings) == len(told)
    assert "sluis ledger verify vertelt" in export(written, "--lang", "nl", where=where, status=1)[1]


def test_a_file_that_is_no_ledger_hides_no_other(written, tmp_path):
    where = str(tmp_path / "ledger")
    shutil.copytree(folder(written), where)
    with open(where + "/2001-01-01.ledger", "wb") as f:
        f.write(b"no database at all" * 100)
    with sqlite3.connect(where + "/2001-01-02.ledger") as db:  # would never end, if it were asked
        db.executescript("CREATE VIEW record AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n) SELECT x AS seq FROM n")
    lines, said = export(written, where=where, status=1)
    assert len(lines) == len(rows(written))
    assert "2001-01-01.ledger: nothing of it was exported: file is not a database" in said
    assert "2001-01-02.ledger: nothing of it was exported: it has no table of records" in said


def test_a_ledger_that_is_written_meanwhile(world):
    """Each export is a whole beginning of the ledger, however many batches are written while it reads."""
    s, _ = serve(world)
    stop = threading.Event()

    def load():
        while not stop.is_set():
            with Client(s.port()) as c:
                c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert c.response().status == 200

    threads = [threading.Thread(target=load) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        counts = [0]
        while len(counts) < 8:
            wait_for(lambda: rows(s, "SELECT max(last) AS n FROM batch")[0]["n"] > counts[-1], "more batches")
            lines, _ = export(s)
            assert [x["sluis.ledger.seq"] for x in lines] == list(range(1, len(lines) + 1))
            assert len(lines) > counts[-1]
            counts.append(len(lines))
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert s.process.stop() == 0
    assert [record_of(x) for x in export(s)[0]] == [{k: r[k] for k in r.keys() if k != "mark"} for r in rows(s)]
    assert verify(s)["ok"]


def test_the_docs_name_every_field(written):
    with open(os.path.join(ROOT, "docs", "ledger.md")) as f:
        section = f.read().split("\n## Export\n")[1].split("\n## ")[0]
    documented = {name for row in re.findall(r"^\| (`.*?) \|", section, re.M) for name in re.findall(r"`([^`]+)`", row)}
    seen = {field for line in export(written)[0] for field in line}
    assert seen <= documented, seen - documented
    assert {r["kind"] for r in rows(written)} <= documented


def test_memory_does_not_grow_with_the_day(written, tmp_path):
    """Of two days one is twenty times as large: the most memory that the release build took is the same."""
    peaks = []
    for records in (10000, 200000):
        where = str(tmp_path / str(records))
        shutil.copytree(folder(written), where)
        with sqlite3.connect(glob.glob(where + "/*.ledger")[0]) as db:
            db.execute("""WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < ?) INSERT INTO record(seq, batch, at, kind, process,
                          client, detail, mark) SELECT (SELECT max(seq) FROM record) + x, 1, 1, 'in', 'worker/0/1', '192.0.2.1', hex(zeroblob(100)), 0
                          FROM n""", (records,))
        status, peak, told = run_small([os.path.join(RELEASE, "sluis"), "ledger", "export", "--ledger", where], str(tmp_path / "out"))
        assert status == 1 and "of these" in told  # no record that was put in fits its mark
        with open(tmp_path / "out", "rb") as f:
            assert sum(1 for _ in f) == records + len(rows(written))
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 2048, peaks  # kB
