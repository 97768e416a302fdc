"""Limits on guessing hold up who guesses, and nobody else; and no time tells whose name there is."""
import concurrent.futures
import ctypes
import ctypes.util
import itertools
import json
import sqlite3
import time

import pytest

from device import b64
from harness import World, wait_for
from passkey import Passkey
from portal import PASSWORD, Browser, add_user, ask, gateway


@pytest.fixture
def world():
    w = World()
    yield w
    w.close()


def use_up_source(s):
    """Wrong passwords until names that are new to this address wait."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        seen = list(pool.map(lambda n: Browser(s).sign_in(f"stranger{n}", "wrong", follow=False).status, range(45)))
    assert 429 in seen and set(seen) <= {401, 429}, seen
    assert Browser(s).sign_in("one-more", "wrong", follow=False).status == 429


# --- who is held up ---

def test_wrong_passwords_of_others_hold_up_no_passkey(world):
    """At the address where she signed in before, whatever others there do."""
    s = world.run(gateway(world))
    add_user(s, "eva")
    b, key = Browser(s), Passkey()
    assert b.sign_in("eva").status == 200
    assert key.add(b, b.get("/account").csrf()).status == 200
    use_up_source(s)
    for _ in range(8):  # and no sign-in is left over as one that is under way
        page = key.sign_in(Browser(s))
        assert page.status == 200 and json.loads(page.text)["ok"], page
    page = Passkey().sign_in(Browser(s))
    assert page.status == 429, page  # one that nobody has is nobody's who is known here
    seen = [key.sign_in(Browser(s), signature=b64(bytes(70))).status for _ in range(3)]
    assert seen[0] == 401 and 200 not in seen, seen


# --- what a time tells ---

class Sodium:
    """Hashes as another program makes them."""

    def __init__(self):
        self.lib = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
        assert self.lib.sodium_init() >= 0

    def hash(self, password, passes, kib):
        out, data = ctypes.create_string_buffer(128), password.encode()
        assert self.lib.crypto_pwhash_str_alg(out, data, ctypes.c_ulonglong(len(data)), ctypes.c_ulonglong(passes), ctypes.c_size_t(kib * 1024), 2) == 0
        assert out.value.decode().startswith(f"$argon2id$v=19$m={kib},t={passes},p=1$"), out.value
        return out.value.decode()


def add_imported(s, name, **cost):
    answer = ask(s, "user.add", name=name, hash=Sodium().hash(PASSWORD, **cost))
    assert answer["ok"], answer


def refusal_time(s, name):
    b, began = Browser(s), time.monotonic()
    page = b.sign_in(name, "wrong", follow=False)
    assert page.status == 401, (name, page)
    return time.monotonic() - began


def hash_of(s, name):
    with sqlite3.connect(f"file:{s.config['state_dir']}/identity/identity.db?mode=ro", uri=True) as db:
        return db.execute('SELECT hash FROM "user" WHERE name = ?', (name,)).fetchone()[0]


def test_no_time_tells_who_there_is(world):
    s = world.run(gateway(world))
    least = {name: 99 for name in ("own", "cheap", "nobody")}
    tries = itertools.count()

    def are_alike():  # the least of each: a busy machine only adds
        n, again = divmod(next(tries), 3)  # others after three tries each, whom nobody has to wait for
        if again == 0:
            add_user(s, f"own{n}")
            add_imported(s, f"cheap{n}", passes=1, kib=8192)
        for name in least:
            least[name] = min(least[name], refusal_time(s, f"{name}{n}"))
        return max(least.values()) - min(least.values()) < 0.3
    wait_for(are_alike, f"one time for all: {least}")
    assert min(least.values()) >= 0.45, least  # the next full half second


def test_who_has_a_costly_hash_is_not_told_by_time(world):
    """Once the first of them was looked at, all wrong passwords take as long."""
    s = world.run(gateway(world))
    add_imported(s, "costly", passes=10, kib=131072)
    refusal_time(s, "costly")
    costly, nobody = refusal_time(s, "costly"), refusal_time(s, "nobody")
    assert nobody > costly - 0.3, (costly, nobody)


def test_imported_hashes_are_made_anew(world):
    s = world.run(gateway(world))
    for name, cost in (("cheap", {"passes": 1, "kib": 8192}), ("costly", {"passes": 3, "kib": 65536})):
        add_imported(s, name, **cost)
        before = hash_of(s, name)
        assert Browser(s).sign_in(name, "wrong", follow=False).status == 401
        assert hash_of(s, name) == before
        with concurrent.futures.ThreadPoolExecutor(3) as pool:  # whose hash is another now by the first of them is right nevertheless
            assert [p.status for p in pool.map(lambda _: Browser(s).sign_in(name, follow=False), range(3))] == [303] * 3
        wait_for(lambda: hash_of(s, name).startswith("$argon2id$v=19$m=65536,t=2,p=1$"), f"the hash of {name} is of our own cost")
        after = hash_of(s, name)
        b = Browser(s)
        assert b.sign_in(name).status == 200
        assert Browser(s).sign_in(name, "wrong", follow=False).status == 401
        assert hash_of(s, name) == after
        assert len(ask(s, "sessions.list", name=name).get("sessions", [])) >= 4  # it ends no session
