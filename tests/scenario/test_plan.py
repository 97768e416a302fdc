"""sluis plan: made from the inventory and the window, followed in order, recorded in the ledger, handed over."""
import hashlib
import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml

from harness import BUILD, RELEASE, ROOT, wait_for
from test_ledger import is_written, rows

INVENTORY = """
customers:
- name: A
appliances:
- {name: other, product: netscaler, customer: A}
- name: adc1
  product: netscaler
  customer: A
  certificates: [{name: '*.site.test', wildcard: true}, {name: gw.site.test, also_on: ['A <CA>']}]
"""
WINDOW = {"from": "", "to": "", "with": "10.0.0.5", "more": 0, "records_lost": 0, "days_without_ledger": "", "systems": [
    {"client": "10.0.0.5", "target": "10.0.0.11:443", "name": "app", "first": "2020-01-09T10:00:00.000Z", "last": "2020-01-10T10:00:00.000Z",
     "connections": 3, "bytes_in": 1, "bytes_out": 2000000},
    {"client": "10.0.0.5", "target": "10.0.0.11:80", "name": "app", "first": "2020-01-08T10:00:00.000Z", "last": "2020-01-09T10:00:00.000Z",
     "connections": 1, "bytes_in": 1, "bytes_out": 1},
    {"client": "10.0.0.99", "target": "10.0.0.5:443", "name": "", "first": "2020-01-08T10:00:00.000Z", "last": "2020-01-09T10:00:00.000Z",
     "connections": 1, "bytes_in": 1, "bytes_out": 1}]}


class Plans:
    """sluis plan without sluisd, in a folder of its own."""
    build = BUILD

    def __init__(self, folder):
        self.folder = str(folder)
        self.inventory, self.window = self.file("inventory.yaml", INVENTORY), self.file("window.json", json.dumps(WINDOW))

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def run(self, *args, status=0):
        r = subprocess.run([os.path.join(self.build, "sluis"), "-s", os.path.join(self.folder, "no.sock"), "plan", *args, "--plans",
                            os.path.join(self.folder, "plans")], capture_output=True, text=True, timeout=60)
        assert r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
        return r

    def json(self, *args):
        return json.loads(self.run(*args, "--json").stdout)

    def new(self, *more):
        return self.json("new", "--advisory", "CVE-2019-19781", "--appliance", "adc1", *more)


@pytest.fixture
def plans(tmp_path):
    return Plans(tmp_path)


def test_one_step_per_certificate_and_system(plans):
    made = plans.new("--inventory", plans.inventory, "--window", plans.window)
    assert (made["certificates"], made["systems"], made["window_complete"], made["ledger"]) == (2, 2, True, False)
    steps = {s["id"]: s for s in plans.json("show", made["id"])["steps"]}
    assert steps["certificate-1"]["title"]["en"].endswith("*.site.test") and "A <CA>" in steps["certificate-2"]["how"]["en"]
    assert "10.0.0.11" in steps["system-1"]["title"]["nl"] and "10.0.0.99" in steps["system-2"]["title"]["nl"]
    assert "2020-01-08T10:00:00Z" in steps["system-1"]["how"]["en"] and "4x" in steps["system-1"]["how"]["en"]
    assert set(steps["risk"]["after"]) == {"examine", "system-1", "system-2"}
    assert {"certificate-1", "certificate-2"} < set(steps["return"]["after"])
    assert os.stat(os.path.join(plans.folder, "plans", made["id"] + ".json")).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("asked", ["gw", "gw/main", "target:gw", "10.0.0.5:443", "target:10.0.0.5"])
def test_a_window_about_a_server_names_who_was_connected_with_it(plans, asked):
    row = dict(WINDOW["systems"][2], name="gw/main")
    about = plans.file("about.json", json.dumps({**WINDOW, "with": asked, "systems": [row]}))
    made = plans.new("--window", about)
    [step] = [s for s in plans.json("show", made["id"])["steps"] if s["id"].startswith("system")]
    assert "10.0.0.99" in step["title"]["en"]


def test_a_plan_from_beginning_to_end(plans):
    """Always the first step that may be done, until none is left: the order of the template holds. Some 40 runs: of the release build."""
    plans.build = RELEASE
    id = plans.new("--inventory", plans.inventory, "--window", plans.window)["id"]
    order = []
    while ready := plans.json("next", id)["steps"]:
        done = plans.json("done", id, ready[0]["id"], "--note", "x", "--evidence", plans.inventory)
        assert done["state"] == "done" and not done["ledger"]
        order.append(ready[0]["id"])
    steps = plans.json("show", id)["steps"]
    assert len(order) == len(steps) and {s["state"] for s in steps} == {"done"}
    for first, then in (("clock", "disconnect"), ("sessions-look", "build"), ("build", "sessions-end"), ("copies", "build"), ("return", "monitor"),
                        ("sessions-look", "memory"), ("system-2", "return"), ("certificate-2", "wildcards")):
        assert order.index(first) < order.index(then), (first, then)
    assert plans.json("next", id)["all_done"] and "Keep the plan" in plans.run("next", id).stdout


def test_what_is_refused_and_why(plans):
    id = plans.new()["id"]
    for args, what in ((["done", id, "build", "--note", "x"], "first copies, trusted-source"), (["done", id, "nonsense", "--note", "x"], "no step 'nonsense'"),
                       (["done", id, "clock"], "wants a note or evidence"), (["done", id, "clock", "--note", "a\x1bb"], "control characters"),
                       (["done", id, "clock", "--evidence", "/nonexistent"], "cannot be read"), (["done", id, "clock", "--evidence", "/tmp"], "no regular file"),
                       (["undo", id, "clock", "--note", "x"], "nothing to take back"), (["show", "../x"], "no plan's id"), (["show", "none-1"], "there is no plan"),
                       (["new", "--advisory", "CVE-2000-0001", "--appliance", "a"], "there are templates for: netscaler"),
                       (["new", "--advisory", "CVE-2019-19781", "--appliance", "b", "--inventory", plans.inventory], "it has: other, adc1"),
                       (["new", "--advisory", "CVE-2019-19781", "--appliance", "a", "--window", plans.inventory], "no answer of sluis window")):
        assert what in plans.run(*args, status=1).stderr, args
    for args in (["done", id], ["list", "x"], ["new"], ["export", id], ["export", id, "--format", "pdf"], ["done", id, "clock", "--format", "html"], ["x"]):
        plans.run(*args, status=2)
    plans.run("done", id, "clock", "--note", "x")
    assert "is done already" in plans.run("done", id, "clock", "--note", "x", status=1).stderr
    plans.run("done", id, "disconnect", "--note", "x")
    assert "done: disconnect" in plans.run("undo", id, "clock", "--note", "x", status=1).stderr
    plans.run("done", id, "sessions-look", "--note", "x")
    assert "wants a file" in plans.run("done", id, "memory", "--note", "x", status=1).stderr


def test_undo_keeps_both_in_the_history(plans):
    id = plans.new()["id"]
    plans.run("done", id, "clock", "--note", "first", "--by", "Night shift")
    plans.run("undo", id, "clock", "--note", "wrong appliance")
    plan = plans.json("show", id)
    assert "done" not in plan["steps"][0]
    assert [(h["what"], h["note"], h["by"]) for h in plan["history"]] == [("new", "", ""), ("done", "first", "Night shift"), ("undo", "wrong appliance", "")]


def test_evidence_is_hashed(plans):
    id = plans.new()["id"]
    path = plans.file("photo", "x" * 200000)
    plans.run("done", id, "clock", "--evidence", path)
    done = plans.json("show", id)["steps"][0]["done"]
    assert (done["sha256"], done["size"], done["evidence"]) == (hashlib.sha256(b"x" * 200000).hexdigest(), 200000, os.path.realpath(path))


def test_a_changed_file_is_refused(plans):
    id = plans.new()["id"]
    path = os.path.join(plans.folder, "plans", id + ".json")
    with open(path) as f:
        plan = json.load(f)
    plan["steps"][1]["after"] = ["monitor"]
    with open(path, "w") as f:
        json.dump(plan, f)
    assert "disconnect is after monitor, which is no step before it" in plans.run("show", id, status=1).stderr


def test_two_at_once(plans):
    """Many close steps at the same moment: none is lost."""
    id = plans.new()["id"]
    plans.run("done", id, "clock", "--note", "x")
    steps = ["disconnect", "report", "logs", "sessions-look", "trusted-source"]
    argv = [os.path.join(BUILD, "sluis"), "-s", os.path.join(plans.folder, "no.sock"), "plan", "done", id]
    running = [subprocess.Popen([*argv, s, "--note", s, "--plans", os.path.join(plans.folder, "plans")], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for s in steps]
    assert [p.wait(60) for p in running] == [0] * len(steps)
    assert {s["id"] for s in plans.json("show", id)["steps"] if s["state"] == "done"} == {"clock", *steps}


def test_what_is_not_known_is_said(plans):
    r = plans.run("new", "--advisory", "CVE-2000-0001", "--appliance", "a", "--product", "netscaler")
    for what in ("not written for CVE-2000-0001", "Without --inventory", "Without --window", "ledger does not have this (sluisd does not answer)"):
        assert what in r.stderr
    cut = plans.file("cut.json", json.dumps({**WINDOW, "days_without_ledger": "2020-01-09"}))
    assert "was not complete" in plans.run("new", "--advisory", "CVE-2019-19781", "--appliance", "a", "--window", cut).stderr
    assert "Het venster was niet volledig" in plans.run("new", "--advisory", "CVE-2019-19781", "--appliance", "a", "--window", cut, "--lang", "nl").stderr
    assert len(plans.json("list")["plans"]) == 3


def test_exports(plans):
    id = plans.new("--inventory", plans.inventory)["id"]
    plans.run("done", id, "clock", "--note", "<script>alert(1)</script>\n| *x*")
    page = plans.run("export", id, "--format", "html", "--lang", "nl").stdout
    assert '<html lang="nl">' in page and "Leg klok, tijdzone en NTP vast" in page and "&lt;script&gt;alert(1)" in page and "A &lt;CA&gt;" in page
    assert not re.search(r"<script|src=|href=|url\(|@import", page)
    markdown = plans.run("export", id, "--format", "markdown", "--lang", "en").stdout
    assert "### [x] Record clock" in markdown and "### [ ] Disconnect adc1" in markdown and "&lt;script\\>alert(1)" in markdown and "<script" not in markdown
    out = os.path.join(plans.folder, "plan.html")
    plans.run("export", id, "--format", "html", "--output", out)
    plans.run("export", id, "--format", "html", "--output", out, status=1)  # nothing is overwritten


def test_the_ledger_has_who_and_when(world):
    s = world.serve(world.nginx("n"))
    wait_for(lambda: is_written(s), "the ledger's first batches")
    made = json.loads(s.cli("-c", s.file, "plan", "new", "--advisory", "CVE-2019-19781", "--appliance", "adc1", "--json").stdout)
    assert made["ledger"]
    evidence = os.path.join(world.dir, "evidence")
    with open(evidence, "w") as f:
        f.write("12:00")
    r = s.cli("-c", s.file, "plan", "done", made["id"], "clock", "--evidence", evidence, "--lang", "en")
    assert "ledger" not in r.stderr
    name = f"plan done {made['id']} clock"
    [record] = wait_for(lambda: rows(s, "SELECT * FROM record WHERE kind='command' AND name=?", (name,)), "the record")
    assert record["user"] == f"uid {os.getuid()}" and record["detail"] == "evidence sha256 " + hashlib.sha256(b"12:00").hexdigest()
    assert record["outcome"] == "noted"
    assert os.path.exists(os.path.join(s.config["state_dir"], "plans", made["id"] + ".json"))
    shown = json.loads(s.cli("-c", s.file, "plan", "show", made["id"], "--json").stdout)
    assert shown["steps"][0]["done"]["ledger"]


@pytest.mark.parametrize("name", sorted(os.listdir(os.path.join(ROOT, "rules", "plans"))))
def test_shipped_templates(name, plans):
    """They hold their schema, every step has a source, and every step can be reached in both languages."""
    with open(os.path.join(ROOT, "rules", "plans", name)) as f:
        template = yaml.safe_load(f)
    with open(os.path.join(ROOT, "rules", "schema", "plan.schema.json")) as f:
        jsonschema.validate(template, json.load(f))
    assert template["name"] == name[:-5] and template["advisories"]
    for advisory in template["advisories"]:
        id = plans.json("new", "--advisory", advisory, "--appliance", "x", "--product", template["products"][0])["id"]
        steps = plans.json("show", id)["steps"]
        assert {re.sub(r"-\d+$", "", s["id"]) for s in steps} == {s["id"] for s in template["steps"]}
        for s in steps:
            for lang in ("en", "nl"):
                assert "{" not in s["title"][lang] + s["how"][lang] and s["source"]
            assert s["title"]["en"] != s["title"]["nl"] and s["how"]["en"] != s["how"]["nl"]
