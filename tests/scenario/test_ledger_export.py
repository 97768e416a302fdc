"""sluis ledger export: every record of the files as a line of JSON from which it can be put together again, selections, damage that is
told and stepped over, a ledger that is written meanwhile."""
import datetime
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import threading

import pytest

from harness import Client, World, get, wait_for
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
