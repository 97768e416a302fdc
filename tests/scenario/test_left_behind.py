"""The search for secrets in what Sluis wrote (left_behind.py) finds what is there, and says where; a world with such a find fails its test."""
import json
import os
import shutil
import urllib.parse

import pytest

from harness import World
from left_behind import note
from portal import PORTAL, Browser, add_user, gateway

SAID = 'the "third" lock & key 7'


def test_a_secret_in_a_log_fails_the_world():
    w = World()
    s = w.run(gateway(w))
    add_user(s, "eva")
    b = Browser(s)
    assert b.sign_in("eva").status == 200
    token = b.jar[PORTAL]["__Host-sluis-portal"]
    note(SAID, "sentence")
    s.stop()
    lines = {"access.log": f"cookie={token}", "other.log": "Cookie: __Host-sluis-app=" + "A" * 43, "jwt.log": "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + ".c", "state/export.txt": json.dumps({"said": SAID}), "log": "GET /?a=" + urllib.parse.quote_plus(SAID)}
    where = []
    for name, line in lines.items():
        path = os.path.join(s.dir, name)
        with open(path, "a", encoding="utf-8") as f:
            f.write("one more line\n" + line + "\n")
        with open(path, encoding="utf-8") as f:
            where.append((path, len(f.readlines())))
    with pytest.raises(AssertionError) as e:
        w.close()
    assert os.path.isdir(w.dir), "what was found is kept"
    shutil.rmtree(w.dir)
    text = str(e.value)
    assert text.count("\n") == len(lines) and token not in text and SAID not in text, text
    for (path, line), what in zip(where, ("cookie __Host-sluis-portal, used in tests/scenario/test_left_behind.py::", "a cookie of ours", "a signed token",
                                         "sentence, used in tests/scenario/test_left_behind.py::", "sentence, used in tests/scenario/test_left_behind.py::")):
        assert f"{path}:{line}: {what}" in text, text


def test_secrets_of_worlds_before_are_not_searched_for_again():
    note("a secret of a world before", "sentence")
    w = World()
    s = w.run(gateway(w))
    with open(s.access_path, "a", encoding="utf-8") as f:
        f.write("a secret of a world before\n")
    w.close()
    assert not os.path.exists(w.dir)
