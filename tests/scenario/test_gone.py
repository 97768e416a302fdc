"""A passkey signs in whom a directory or provider knows only while it is known there."""
import json
import contextlib
import os
import sqlite3

from oidc import Provider
from passkey import Passkey
from portal import PORTAL, Browser, add_user, ask, gateway
from slapd import BASE, PASSWORD, Slapd, group, person
from certs import Authority
from test_oidc import ready, sign_in


def alone(key, b, **more):
    """Signs in with it: the status, and what the page's script is told."""
    page = key.sign_in(b, **more)
    return page.status, json.loads(page.text)


def with_passkey(b, page):
    key = Passkey()
    assert json.loads(key.add(b, page.csrf()).text)["ok"]
    return key


def events(s, name):
    return [line for line in s.log().splitlines() if f"event={name}" in line]


def directory(world, **more):
    d = Slapd(world, [person("eva"), group("staff", "eva"), group("care", "eva")])
    s = world.run(gateway(world, {"wiki": {"allow": 'user.groups == "care"'}}, gateway={"ldap": {"corp": d.section(world, **more)}}))
    b = Browser(s)
    return d, s, b, with_passkey(b, b.sign_in("eva", PASSWORD))


def test_who_is_gone_from_the_directory_does_not_sign_in_with_a_passkey(world):
    d, s, b, key = directory(world)
    other = Browser(s)
    status, told = alone(key, other)
    assert status == 200 and told["ok"] and other.get("/").url == other.url("/"), "while eva is there"
    d.delete(f"uid=eva,ou=people,{BASE}")
    status, told = alone(key, Browser(s))
    assert status == 403 and not told["ok"], told
    assert len(events(s, "directory.gone")) == 1
    for known in (b, other):
        assert "/sign-in" in known.get("/").url, "and the sessions that there were have ended"
    assert alone(key, Browser(s))[0] == 403, "again and again"


def test_a_passkey_while_the_directory_is_down(world):
    d, s, b, key = directory(world)
    d.kill()
    status, told = alone(key, Browser(s))
    assert status == 503 and not told["ok"], told
    assert len(events(s, "directory.down")) == 1 and b.get("/").url == b.url("/"), "sessions stay"
    d.start()
    assert alone(key, Browser(s))[0] == 200


def test_groups_of_a_sign_in_with_a_passkey_are_those_of_now(world):
    d, s, _, key = directory(world)
    d.modify(f"cn=care,ou=groups,{BASE}", f"replace: member\nmember: uid=nobody,ou=people,{BASE}")
    b = Browser(s)
    assert alone(key, b)[0] == 200 and ask(s, "user.show", name="eva")["user"]["groups"] == ["staff"]
    assert b.get("/x", host=f"wiki.{PORTAL}").status == 403


def test_a_directory_that_is_none_any_more(world):
    _, s, _, key = directory(world)
    del s.config["gateway"]["ldap"]
    s.reload()
    assert alone(key, Browser(s))[0] == 403


def test_a_passkey_of_our_own_users_asks_nobody(world):
    s = world.run(gateway(world))
    add_user(s, "eva")
    b = Browser(s)
    key = with_passkey(b, b.sign_in("eva"))
    assert alone(key, Browser(s))[0] == 200


def test_a_passkey_of_who_comes_from_a_provider_is_good_for_a_while(world):
    p = Provider(world, Authority(world.dir, "Provider CA"))
    s = world.run(gateway(world, gateway={"oidc": {"id": p.section()}}))
    ready(s)
    b = Browser(s)
    key = with_passkey(b, sign_in(b, p))
    status, told = alone(key, Browser(s))
    assert status == 200 and told["next"] == "/", told
    s.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(s.config["state_dir"], "identity", "identity.db"))) as db:
        db.execute("UPDATE user SET looked = looked - 36000")
        db.commit()
    s = world.run(s.config)
    ready(s)
    other = Browser(s)
    status, told = alone(key, other, next="/account")
    assert told["next"] == "/oidc/id?next=%2Faccount" and "__Host-sluis-portal" not in other.jar[PORTAL], told
    sign_in(Browser(s), p)
    assert alone(key, Browser(s))[1]["next"] == "/", "then it is good again"
