"""People of a directory sign in at the portal: slapd is asked for them, by a process that has no way out of its own."""
import os
import re
import socket
import time

import pytest

from certs import Authority
from harness import free_port, wait_for
from portal import PASSWORD as LOCAL_PASSWORD
from portal import PORTAL, Browser, add_user, ask, gateway, totp
from slapd import ADMIN, BASE, PASSWORD, SERVICE, Slapd, group, person

PEOPLE = [person("eva", mail="eva@example.org"), person("bob"), group("staff", "eva", "bob"), group("care", "eva")]


def serve(world, ldap, mfa="false", apps=None, **more):
    return world.run(gateway(world, apps, gateway={"ldap": ldap, "mfa": mfa, **more}))


def directory(world, *entries, **more):
    d = Slapd(world, entries or PEOPLE)
    return d, serve(world, {"corp": d.section(world)}, **more)


def events(s, name):
    return [line for line in s.log().splitlines() if f"event={name}" in line]


def test_right_and_wrong_passwords_and_names_that_nobody_has(world):
    d, s = directory(world)
    add_user(s, "local")
    b = Browser(s)
    home = b.sign_in("Eva", PASSWORD)
    assert home.status == 200 and home.url == b.url("/") and "Eva Jansen" in home.text, home
    user = ask(s, "user.show", name="eva")["user"]
    assert user["origin"] == "ldap:corp" and sorted(user["groups"]) == ["care", "staff"] and user["mail"] == "eva@example.org", user
    assert d.binds()[-2:] == [SERVICE, f"uid=eva,ou=people,{BASE}"]
    assert Browser(s).sign_in("local").status == 200, "users of our own as before"
    before = len(d.binds())
    Browser(s).sign_in("local", "not the password")
    assert len(d.binds()) == before, "and no directory is told their passwords"
    pages, times = [], []
    for name, password in (("eva", "not the password"), ("nobody", PASSWORD), ("bob", "not the password"), ("local", "not the password")):
        start = time.monotonic()
        page = Browser(s).sign_in(name, password)
        times.append(time.monotonic() - start)
        pages.append(page.alert())
        assert page.status == 401, page
    assert len(set(pages)) == 1, pages
    assert all(t >= 0.45 for t in times), times


def test_an_empty_password_reaches_nobody(world):
    d, s = directory(world)
    add_user(s, "local")
    before = len(d.binds())
    for name in ("eva", "nobody", "*"):
        assert Browser(s).sign_in(name, "").status in (400, 401)
    assert len(d.binds()) == before and not d.searches()


def test_names_that_would_be_filters_are_names(world):
    d, s = directory(world)
    for name in ("*", "eva)(uid=*", "e*a", "eva\\2a", "eva)(|(uid=bob", "%u", "*)(objectClass=*"):
        page = Browser(s).sign_in(name, PASSWORD)
        assert page.status == 401, (name, page)
    for text in d.searches():
        assert text.count("(") == 3 or "?=undefined" in text, text
    assert f"uid=eva,ou=people,{BASE}" not in d.binds() and f"uid=bob,ou=people,{BASE}" not in d.binds()


def test_groups_decide_who_may(world):
    d, s = directory(world, apps={"wiki": {"allow": 'user.groups == "care"'}})
    eva, bob = Browser(s), Browser(s)
    assert eva.sign_in("eva", PASSWORD).status == 200 and bob.sign_in("bob", PASSWORD).status == 200
    page = eva.get("/x", host=f"wiki.{PORTAL}")
    assert page.status == 200 and re.search(r"(?im)^sluis-groups: (staff,care|care,staff)\r?$", page.text), page
    assert bob.get("/x", host=f"wiki.{PORTAL}").status == 403


def test_groups_by_a_search_and_those_that_cannot_be_one(world):
    d = Slapd(world, [person("eva"), group("staff", "eva"), group("a\\,b", "eva"), group("other", "eva"), group("none", "x")])
    s = serve(world, {"corp": d.section(world, group_base=f"ou=groups,{BASE}")})
    assert Browser(s).sign_in("eva", PASSWORD).status == 200
    assert sorted(ask(s, "user.show", name="eva")["user"]["groups"]) == ["other", "staff"]
    assert len([e for e in events(s, "directory.refused") if "comma" in e]) == 1


def test_too_many_groups_are_refused_unless_narrowed(world):
    d = Slapd(world, [person("eva")] + [group(f"g{i}", "eva") for i in range(65)])
    s = serve(world, {"corp": d.section(world)})
    assert Browser(s).sign_in("eva", PASSWORD).status == 401
    assert any("take_groups" in e for e in events(s, "directory.refused"))
    s.config["gateway"]["ldap"]["corp"]["take_groups"] = ["G7", "g64", "unknown"]
    s.reload()
    assert Browser(s).sign_in("eva", PASSWORD).status == 200
    assert sorted(ask(s, "user.show", name="eva")["user"]["groups"]) == ["g64", "g7"]


def test_two_entries_of_one_name_are_nobody(world):
    d = Slapd(world, [person("eva"), person("eva", ou="others")])
    s = serve(world, {"corp": d.section(world, base=BASE)})
    assert Browser(s).sign_in("eva", PASSWORD).status == 401
    assert any("more than one" in e for e in events(s, "directory.refused"))


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_tls_and_certificates_that_are_not_the_servers(world, tls):
    ca, stranger = Authority(world.dir, "Directory CA"), Authority(world.dir, "Another CA")
    d = Slapd(world, PEOPLE, ca.issue("127.0.0.1", file="ldap"), ca.path)
    other = Slapd(world, PEOPLE, ca.issue("other.example.org", file="other"), ca.path, name="b")
    s = serve(world, {"corp": d.section(world, tls, ca=ca.path)})
    assert Browser(s).sign_in("eva", PASSWORD).status == 200
    assert "TLS established" in d.process.log() or tls == "ldaps"
    for section, why in ((d.section(world, tls, ca=stranger.path), "authority"), (other.section(world, tls, ca=ca.path), "name")):
        s.config["gateway"]["ldap"]["corp"] = section
        s.reload()
        page = Browser(s).sign_in("bob", PASSWORD)
        assert page.status == 503, (why, page)
    assert set(other.binds()) <= {ADMIN}, "no password went to a server that is not the one"


def test_a_server_without_starttls_gets_no_password(world):
    ca = Authority(world.dir, "Directory CA")
    d = Slapd(world, PEOPLE)
    s = serve(world, {"corp": d.section(world, "starttls", ca=ca.path)})
    before = len(d.binds())
    assert Browser(s).sign_in("eva", PASSWORD).status == 503
    assert len(d.binds()) == before


def test_the_next_server_where_the_first_is_dead_and_503_where_all_are(world):
    d = Slapd(world, PEOPLE)
    section = d.section(world)
    section["servers"] = [f"127.0.0.1:{free_port()}", *section["servers"]]
    s = serve(world, {"corp": section})
    add_user(s, "local")
    assert Browser(s).sign_in("eva", PASSWORD).status == 200
    d.kill()
    page = Browser(s).sign_in("eva", PASSWORD)
    assert page.status == 503 and page.alert(), page
    assert Browser(s).sign_in("local").status == 200
    assert len(events(s, "directory.down")) == 1
    names = [p["name"] for p in s.status()["pools"]]
    assert "ldap.corp" in names


def test_a_server_that_says_nothing_holds_nobody_else_up(world):
    silent = socket.create_server(("127.0.0.1", 0))
    world.at_end(silent.close)
    d = Slapd(world, PEOPLE)
    section = d.section(world, timeout="1s")
    section["servers"] = [f"127.0.0.1:{silent.getsockname()[1]}"]
    s = serve(world, {"corp": section})
    add_user(s, "local")
    start = time.monotonic()
    page = Browser(s).sign_in("eva", PASSWORD)
    assert page.status == 503 and 0.9 < time.monotonic() - start < 6, page
    assert Browser(s).sign_in("local").status == 200
    assert "child.exited" not in s.log()


def test_a_group_that_was_taken_away_counts_within_refresh(world):
    d = Slapd(world, PEOPLE)
    s = serve(world, {"corp": d.section(world, refresh="1s")}, apps={"wiki": {"allow": 'user.groups == "care"'}})
    b = Browser(s)
    assert b.sign_in("eva", PASSWORD).status == 200
    assert b.get("/x", host=f"wiki.{PORTAL}").status == 200
    d.modify(f"cn=care,ou=groups,{BASE}", f"replace: member\nmember: uid=nobody,ou=people,{BASE}")
    wait_for(lambda: b.get("/x", host=f"wiki.{PORTAL}").status == 403, "eva is out of the wiki")
    assert b.get("/").status == 200 and b.get("/").url == b.url("/"), "but signed in"


def test_who_is_gone_is_signed_out_and_who_cannot_be_asked_about_stays(world):
    d = Slapd(world, PEOPLE)
    s = serve(world, {"corp": d.section(world, refresh="1s")})
    eva, bob = Browser(s), Browser(s)
    assert eva.sign_in("eva", PASSWORD).status == 200 and bob.sign_in("bob", PASSWORD).status == 200
    d.kill()
    wait_for(lambda: events(s, "directory.down"), "it is told that the directory is down")
    assert eva.get("/").url == eva.url("/")
    d.start()
    d.delete(f"uid=eva,ou=people,{BASE}")
    wait_for(lambda: "/sign-in" in eva.get("/").url, "eva's session ends")
    assert bob.get("/").url == bob.url("/") and len(events(s, "directory.gone")) == 1


def test_a_name_that_somebody_has_is_not_taken_over(world):
    d = Slapd(world, PEOPLE)
    other = Slapd(world, [person("bob", "another password")], name="b")
    s = serve(world, {"corp": d.section(world), "lab": other.section(world)})
    add_user(s, "eva")
    assert Browser(s).sign_in("eva", PASSWORD).status == 401, "eva is ours: no directory is asked"
    assert Browser(s).sign_in("eva").status == 200
    assert Browser(s).sign_in("bob", PASSWORD).status == 200
    assert Browser(s).sign_in("bob", "another password").status == 401, "bob is of corp: lab is not asked"
    d.add(person("carl"))
    assert Browser(s).sign_in("carl", PASSWORD).status == 200
    d.rename(f"uid=carl,ou=people,{BASE}", "uid=dirk")
    assert Browser(s).sign_in("dirk", PASSWORD).status == 200
    assert ask(s, "user.show", name="dirk")["user"]["origin"] == "ldap:corp" and not ask(s, "user.show", name="carl")["ok"], "the same person"
    d.add(person("carl", "a password of another carl"))
    assert Browser(s).sign_in("carl", "a password of another carl").status == 200, "the name is free"
    d.delete(f"uid=dirk,ou=people,{BASE}")
    d.add(person("dirk", "a password of another dirk"))
    assert Browser(s).sign_in("dirk", "a password of another dirk").status == 401
    assert any("somebody else from there" in e for e in events(s, "directory.refused"))


def test_factors_and_passwords_of_who_comes_from_a_directory(world):
    d, s = directory(world, mfa="true")
    b = Browser(s)
    page = b.sign_in("eva", PASSWORD)
    assert page.url.endswith("/totp"), page
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    page = b.post("/totp", {"csrf": page.csrf(), "code": totp(secret)})
    assert page.status == 200, page
    other = Browser(s)
    page = other.sign_in("eva", PASSWORD)
    assert page.url.endswith("/second"), page
    page = other.post("/second", {"csrf": page.csrf(), "method": "totp", "code": totp(secret, step=1)})
    assert page.url == other.url("/"), page
    account = other.get("/account")
    assert account.status == 200 and 'name="old"' not in account.text and "organisation" in account.text
    page = other.post("/password", {"csrf": account.csrf(), "old": PASSWORD, "new": LOCAL_PASSWORD, "again": LOCAL_PASSWORD})
    assert page.status == 400 and "directory" in page.text, page
    assert not ask(s, "user.passwd", name="eva", password=LOCAL_PASSWORD)["ok"]
    assert "ldap:corp" in s.cli("user", "show", "eva").stdout and "ldap:corp" in s.cli("user", "list").stdout
    s.cli("user", "disable", "eva")
    assert Browser(s).sign_in("eva", PASSWORD).status == 401
    s.cli("user", "enable", "eva")
    assert Browser(s).sign_in("eva", PASSWORD).url.endswith("/second")


def test_a_process_that_ends_over_a_question_costs_that_question(world):
    silent = socket.create_server(("127.0.0.1", 0))
    world.at_end(silent.close)
    d = Slapd(world, PEOPLE)
    section = d.section(world, timeout="10s")
    section["servers"] = [f"127.0.0.1:{silent.getsockname()[1]}"]
    s = serve(world, {"corp": section}, directories=1)
    s.may_crash = True
    [pid] = s.pids("directory")
    b = Browser(s)
    sock = b.connect(PORTAL)
    body = f"user=eva&password={PASSWORD.replace(' ', '+')}".encode()
    sock.sendall((f"POST /sign-in HTTP/1.1\r\nHost: {PORTAL}:{b.port}\r\nOrigin: https://{PORTAL}:{b.port}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
    silent.accept()
    os.kill(pid, 9)
    assert b" 503 " in sock.makefile("rb").readline()
    s.config["gateway"]["ldap"]["corp"]["servers"] = [f"127.0.0.1:{d.port}"]
    s.reload()
    assert Browser(s).sign_in("eva", PASSWORD).status == 200


def test_the_password_of_the_service_is_in_no_other_process(world):
    d, s = directory(world)
    assert Browser(s).sign_in("eva", PASSWORD).status == 200
    with open(os.path.join(world.dir, "ldap.password")) as f:
        secret = f.read().strip().encode()
    for root, _, files in os.walk(s.config["state_dir"]):
        for name in files:
            with open(os.path.join(root, name), "rb") as f:
                assert secret not in f.read(), name


def test_a_service_account_that_is_not_let_in_is_told(world):
    d = Slapd(world, PEOPLE)
    section = d.section(world)
    with open(section["bind_password"], "w") as f:
        f.write("another\n")
    s = serve(world, {"corp": section})
    assert Browser(s).sign_in("eva", PASSWORD).status == 503
    assert any("bind_dn" in e for e in events(s, "directory.down"))
    with open(section["bind_password"], "w") as f:
        f.write("\n")
    r = s.cli("reload", ok=False)
    assert r.returncode != 0 and Browser(s).sign_in("eva", PASSWORD).status == 503, "the configuration before stays"


def test_a_search_as_nobody_and_the_dn_as_subject(world):
    d = Slapd(world, PEOPLE)
    section = d.section(world, subject="dn", refresh="1s")
    del section["bind_dn"], section["bind_password"]
    s = serve(world, {"corp": section})
    b = Browser(s)
    assert b.sign_in("eva", PASSWORD).status == 200
    assert ask(s, "user.show", name="eva")["user"]["origin"] == "ldap:corp"
    before = len(d.searches())
    wait_for(lambda: len(d.searches()) > before + 1, "eva is looked up")
    assert b.get("/").url == b.url("/") and not events(s, "directory.gone")
    d.delete(f"uid=eva,ou=people,{BASE}")
    wait_for(lambda: "/sign-in" in b.get("/").url, "eva's session ends")


def test_isolation_holds_for_directories(world):
    d, s = directory(world)
    s.cli("isolate", "ldap.corp", "--as", "target", "--reason", "test")
    assert Browser(s).sign_in("eva", PASSWORD).status == 503
    assert any("isolated" in e for e in events(s, "directory.down"))
