"""What somebody changes of their own account, and what stays as it is: factors that are taken away, and sessions that are ended elsewhere."""
import re

from passkey import Passkey
from portal import PORTAL, Browser, add_user, gateway, totp

WIKI, SESSION = f"wiki.{PORTAL}", "__Host-sluis-portal"
KEPT, FIRST = "the last one cannot be removed", "confirm with a second proof"


def person(s, name="eva", **kw):
    b = Browser(s, **kw)
    assert b.sign_in(name).status == 200
    return b


def csrf(b):
    """Of the session as it is now: a proof makes another."""
    return b.get("/account").csrf()


def has_totp(b):
    return 'action="/totp/remove"' in b.get("/account").text


def passkeys(b):
    """Their names in the account's forms."""
    return re.findall(r'action="/passkey/remove".*?name="id" value="([^"]+)"', b.get("/account").text, re.S)


def set_up_totp(b, path="/totp"):
    page = b.get(path)
    secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
    done = b.post("/totp", {"csrf": page.csrf(), "code": totp(secret)})
    assert done.status == 200, done
    return secret


def test_all_others_are_ended_and_nobody_else(world):
    s = world.run(gateway(world))
    add_user(s, "eva")
    add_user(s, "piet")
    mine, other, third, piet = person(s), person(s), person(s), person(s, "piet")
    for b in (mine, other, piet):
        assert b.get("/", host=WIKI).url == b.url("/", WIKI)
    page = mine.get("/account")
    assert page.text.count('action="/session/end"') == 2 and 'action="/sessions/end"' in page.text
    page = mine.post("/sessions/end", {"csrf": page.csrf()})
    assert page.status == 200 and "You are signed out on all other devices." in page.text, page
    assert 'action="/session/end"' not in page.text and 'action="/sessions/end"' not in page.text
    for b in (other, third):
        assert b.get("/").url == b.url("/sign-in")
    assert other.get("/", host=WIKI).url.startswith(other.url("/sign-in")), "its apps went with it"
    for b in (mine, piet):
        assert b.get("/").url == b.url("/") and b.get("/", host=WIKI).url == b.url("/", WIKI)
    page = mine.post("/sessions/end", {"csrf": csrf(mine)})
    assert page.status == 200 and mine.get("/").url == mine.url("/"), "there are none: the same to who asks"


def test_a_one_time_password_is_removed(world):
    s = world.run(gateway(world))
    add_user(s, "eva")
    b = person(s)
    set_up_totp(b)
    weak = person(s)
    page = weak.post("/totp/remove", {"csrf": csrf(weak)})
    assert page.status == 403 and FIRST in page.alert(), "a session by password alone takes no factor away"
    assert has_totp(b)
    page = b.post("/totp/remove", {"csrf": csrf(b)})
    assert page.status == 200 and "The authenticator app has been removed." in page.text, page
    assert not has_totp(b)
    fresh = person(s)
    set_up_totp(fresh)  # as if there had never been one
    assert has_totp(fresh)


def test_a_passkey_is_removed(world):
    s = world.run(gateway(world))
    add_user(s, "eva")
    b, first, second = person(s), Passkey(), Passkey()
    for key in (first, second):
        page = key.add(b, csrf(b))
        assert page.status == 200 and b'"ok":true' in page.body, page
    names = passkeys(b)
    assert len(names) == 2
    weak = person(s)
    page = weak.post("/passkey/remove", {"csrf": csrf(weak), "id": names[0]})
    assert page.status == 403 and FIRST in page.alert() and passkeys(b) == names
    add_user(s, "piet")
    piet, his = person(s, "piet"), Passkey()
    assert his.add(piet, csrf(piet)).status == 200
    piet.post("/passkey/remove", {"csrf": csrf(piet), "id": names[0]})
    assert passkeys(b) == names and len(passkeys(piet)) == 1, "nobody takes another's away"
    used = Browser(s)
    assert first.sign_in(used).status == 200 and used.get("/").url == used.url("/")
    page = b.post("/passkey/remove", {"csrf": csrf(b), "id": next(n for n in names if first.id.hex().startswith(n))})
    assert page.status == 200 and "The passkey has been removed." in page.text, page
    assert passkeys(b) == [n for n in names if second.id.hex().startswith(n)]
    out = Browser(s)
    assert first.sign_in(out).status in (401, 403) and SESSION not in out.jar.get(PORTAL, {}), "it is good for nothing now"
    assert second.sign_in(out).status == 200 and SESSION in out.jar[PORTAL], "the other one is"


def test_the_last_factor_stays_where_one_is_demanded(world):
    s = world.run(gateway(world, gateway={"mfa": "true"}))
    add_user(s, "eva")
    b = Browser(s)
    page = b.sign_in("eva")
    assert page.url.startswith(b.url("/totp")), page
    set_up_totp(b)
    page = b.post("/totp/remove", {"csrf": csrf(b)})
    assert page.status == 403 and KEPT in page.alert() and has_totp(b), page
    key = Passkey()
    assert key.add(b, csrf(b)).status == 200
    page = b.post("/totp/remove", {"csrf": csrf(b)})
    assert page.status == 200 and not has_totp(b), "a passkey is a factor too"
    [name] = passkeys(b)
    page = b.post("/passkey/remove", {"csrf": csrf(b), "id": name})
    assert page.status == 403 and KEPT in page.alert() and passkeys(b) == [name], page
    other = Passkey()
    assert other.add(b, csrf(b)).status == 200 and len(passkeys(b)) == 2
    page = b.post("/passkey/remove", {"csrf": csrf(b), "id": name})
    assert page.status == 200 and len(passkeys(b)) == 1 and name not in passkeys(b)
    set_up_totp(b)
    assert b.post("/passkey/remove", {"csrf": csrf(b), "id": passkeys(b)[0]}).status == 200 and not passkeys(b) and has_totp(b)
