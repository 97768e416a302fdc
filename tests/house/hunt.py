"""The shipped indicator packs hold their schema (as the program reads them: all scalars are texts), and each entry its own tests."""
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import yaml

schema = json.loads(pathlib.Path("rules/schema/hunt.schema.json").read_text())
packs = sorted(pathlib.Path("rules/hunt").glob("*.yaml"))
assert len(packs) >= 7, "packs are missing"
bad = entries = 0
meson = pathlib.Path("meson.build").read_text()
for path in packs:
    pack = yaml.load(path.read_text(), yaml.BaseLoader)
    for error in jsonschema.Draft202012Validator(schema).iter_errors(pack):
        print(f"{path}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")
        bad = 1
    assert pack["name"] == path.stem, f"{path}: named {pack['name']}"
    entries += len(pack["entries"])
    if f"'hunt/{path.name}'" not in meson:
        print(f"{path} is not installed (meson.build)")
        bad = 1
run = subprocess.run([sys.argv[1], "--rules", "rules", "hunt", "--check-packs"], capture_output=True, text=True)
print(run.stdout, run.stderr)
if run.returncode or not re.search(rf"^{entries} entries, \d+ tests, 0 failed$", run.stdout, re.M):
    bad = 1
sys.exit(bad)
