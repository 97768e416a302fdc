"""Every shipped rule set holds its own tests, and every rule has a source, hits and misses to show; every shipped advisory is valid."""
import json
import pathlib
import subprocess
import sys

import yaml

bad = 0
sets = sorted(pathlib.Path("rules").glob("*.yaml"))
assert sets, "no rule sets"
for path in sets:
    content = yaml.safe_load(path.read_text())
    assert content["name"] == path.stem, f"{path}: named {content['name']}"
    tests = 0
    for rule in content["rules"]:
        for key in ("description", "source"):
            if not rule.get(key):
                print(f"{path}: {rule['name']} has no {key}")
                bad = 1
        for key in ("hits", "misses"):
            if not rule.get("tests", {}).get(key):
                print(f"{path}: {rule['name']} has no {key}")
                bad = 1
            tests += len(rule.get("tests", {}).get(key, []))
    run = subprocess.run([sys.argv[1], "policy", "test", str(path)], capture_output=True, text=True)
    print(run.stdout, run.stderr)
    if run.returncode or f"{tests} requests, 0 failed" not in run.stdout:
        bad = 1
advisories = sorted(pathlib.Path("rules/advisories").glob("*.json"))
assert advisories, "no advisories"
run = subprocess.run([sys.argv[1], "--rules", "rules", "advisory", "validate", "--json", *map(str, advisories)], capture_output=True, text=True)
results = json.loads(run.stdout)
for path, result in zip(advisories, results, strict=True):
    tracking = json.loads(path.read_text())["document"]["tracking"]
    if result["result"] != "valid" or result["unchecked"] or tracking["id"] != path.stem:
        print(path, result, run.stderr)
        bad = 1
sys.exit(bad)
