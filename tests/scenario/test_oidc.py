"""Sign-in at another service by OpenID Connect, at providers that are honest, broken or hostile. A real one: test_oidc_provider.py."""
import html
import os
import re
import signal
import time
import urllib.parse

import pytest

from harness import World, wait_for
from oidc import SECRET, Key, Provider
from portal import PASSWORD, PORTAL, Browser, add_user, gateway, totp
from certs import Authority


@pytest.fixture
def world():
    w = World()
    yield w
    w.close()


def ready(s, name="id"):
    """The metadata has been read."""
    wait_for(lambda: Browser(s).get(f"/oidc/{name}", follow=False).status == 303, f"the provider {name} is known")


def start(world, more=None, provider=None, **section):
    p = provider or Provider(world, Authority(world.dir, "Provider CA"))
    s = world.run(gateway(world, more.pop("apps", None) if more else None, gateway={"oidc": {"id": p.section(**section)}, **(more or {})}))
    ready(s)
    return s, p


def begin(b, name="id", next=""):
    page = b.get(f"/oidc/{name}" + ("?next=" + urllib.parse.quote(next, safe="") if next else ""), follow=False)
    assert page.status == 303, page
    return page.field("location")


def sign_in(b, p, name="id", next="", follow=True, **more):
    return b.get(f"/oidc/{name}/callback?" + p.authorize(begin(b, name, next), **more), follow=follow)


def is_in(b):
    return "/sign-out" in b.get("/").text


def log_has(s, text):
    wait_for(lambda: text in s.log(), f"the log has {text}")


# --- as it should be ---

@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "none"])
@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_sign_in(world, auth, alg):
    p = Provider(world, Authority(world.dir, "Provider CA"), alg=alg, auth=auth)
    s, p = start(world, provider=p, label="Example & Co")
    b = Browser(s)
    page = b.get("/sign-in?next=%2Faccount")
    assert 'href="/oidc/id?next=%2Faccount"' in page.text and "Sign in with Example &amp; Co" in page.text
    assert "Aanmelden met Example &amp; Co" in b.get("/sign-in", headers=["Accept-Language: nl"]).text
    page = sign_in(b, p, next="/account")
    assert page.status == 200 and page.url.endswith("/account") and "Eva Jansen" in page.text and "another service" in page.text
    assert "__Host-sluis-oidc" not in b.jar[PORTAL]


def test_groups_and_deep_links(world):
    s, p = start(world, {"apps": {"wiki": {"allow": 'user.groups == "staff"'}, "mail": {}}, "allow": 'user.groups == "people"'}, take_groups=["staff", "people"])
    p.claims = {"groups": ["people", "staff", "others"]}
    b = Browser(s)
    page = b.get("/a/b?c=d", host=f"wiki.{PORTAL}")
    next = page.hidden("next")
    assert next.startswith("/enter?")
    page = sign_in(b, p, next=next)
    assert page.status == 200 and "/a/b?c=d" in page.text and "Sluis-User: eva" in page.text and "Sluis-Groups: people,staff" in page.text, page
    p.claims = {"groups": ["people"]}  # no member any more: counts from the next sign-in on
    other = Browser(s)
    assert sign_in(other, p).status == 200
    assert other.get("/", host=f"wiki.{PORTAL}").status == 403
    p.claims = {"groups": "staff"}
    refused = sign_in(Browser(s), p)
    assert refused.status == 403 and "Signing in did not work" in refused.text
    p.claims = {"groups": [f"g{i}" for i in range(65)]}
    assert sign_in(Browser(s), p).status == 401
    log_has(s, "more than 64 groups")


def test_second_factor(world):
    s, p = start(world, {"mfa": "true"}, mfa_values=["mfa", "gold"])
    for claims, is_enough in (({"amr": ["pwd", "mfa"]}, True), ({"acr": "gold"}, True), ({"amr": ["pwd"]}, False), ({"amr": ["otp"]}, False)):
        p.claims = claims
        page = sign_in(Browser(s), p, next="/account", follow=False)
        assert page.status == 303 and page.field("location").endswith("/account" if is_enough else "/totp?next=%2Faccount"), (claims, page)


def test_names(world):
    s, p = start(world)
    add_user(s, "piet", groups=["admins"])
    p.claims = {"preferred_username": "Piet", "sub": "u-2"}  # a name of our own user's is not taken over
    assert sign_in(Browser(s), p).status == 403
    log_has(s, "a user of our own has that name")
    assert Browser(s).sign_in("piet").status == 200
    p.claims = {"preferred_username": "Eva Jansen"}
    assert sign_in(Browser(s), p).status == 403
    p.claims = {}
    assert sign_in(Browser(s), p).status == 200
    p.claims = {"sub": "u-3"}  # nor is another's there
    assert sign_in(Browser(s), p).status == 403
    assert Browser(s).sign_in("eva", PASSWORD).status == 401  # has no password here
    s.cli("user", "disable", "eva")
    p.claims = {}
    assert sign_in(Browser(s), p).status == 403


def test_rotated_keys(world):
    s, p = start(world)
    assert sign_in(Browser(s), p).status == 200
    p.keys.insert(0, Key("k2"))
    p.keys.append(Key("k3"))
    # The keys were fetched just now, and are not again so soon, whoever asks: then the new one is there.
    wait_for(lambda: sign_in(Browser(s), p).status == 200, "a token of the new key is taken", 60)
    before = p.asked.count("/jwks")
    for _ in range(2):
        p.signer = Key("unknown")
        assert sign_in(Browser(s), p).status in (401, 429)
    assert p.asked.count("/jwks") <= before + 2  # one for each process that asks, at most
    log_has(s, "the provider has no key of the token's kid")


# --- what is not an answer to this sign-in ---

def test_answers_that_are_not_ours(world):
    s, p = start(world)

    def refused(page, status, b=None):
        assert page.status == status and "Signing in did not work" in page.text, page
        assert not b or not is_in(b)

    b = Browser(s)
    refused(sign_in(b, p, state="A" * 43), 401, b)
    query = p.authorize(begin(b))
    assert b.get("/oidc/id/callback?" + query).status == 200
    b.jar.clear()
    refused(b.get("/oidc/id/callback?" + query), 400, b)  # its cookie is gone
    query = p.authorize(begin(b))
    cookie = dict(b.jar[PORTAL])
    assert b.get("/oidc/id/callback?" + query).status == 200
    b.jar = {PORTAL: cookie}
    refused(b.get("/oidc/id/callback?" + query), 400, b)  # replayed, with the cookie
    other = Browser(s)
    query = p.authorize(begin(Browser(s)))
    refused(other.get("/oidc/id/callback?" + query), 400, other)  # another browser, without a sign-in of its own
    begin(other)
    refused(other.get("/oidc/id/callback?" + query), 401, other)  # and with one
    b = Browser(s)
    refused(sign_in(b, p, iss="https://evil.example"), 401, b)
    refused(sign_in(b, p, iss=None), 401, b)
    refused(sign_in(b, p, code="no-such-code"), 401, b)
    refused(b.get("/oidc/id/callback?error=access_denied&error_description=%3Cb%3EBoo&state=x"), 400, b)
    assert "Boo" not in b.get("/oidc/id/callback?error=access_denied&error_description=Boo").text
    for twice in ("code", "state", "iss"):
        query = p.authorize(begin(b))
        page = b.get(f"/oidc/id/callback?{query}&{twice}=x")
        assert page.status == 400 and not is_in(b)
    assert b.get("/oidc/id/callback?code=x").status == 400
    assert b.get("/oidc/nobody").status == 404 and b.get("/oidc/id/more").status == 404


def test_two_providers(world):
    ca = Authority(world.dir, "Provider CA")
    one, two = Provider(world, ca), Provider(world, ca)
    two.claims = {"preferred_username": "anna"}
    s = world.run(gateway(world, gateway={"oidc": {"one": one.section(), "two": two.section()}}))
    ready(s, "one"), ready(s, "two")
    b = Browser(s)
    query = one.authorize(begin(b, "one"))
    page = b.get("/oidc/two/callback?" + query)  # at the other's place
    assert page.status == 401 and not is_in(b)
    b = Browser(s)
    page = b.get("/oidc/one/callback?" + one.authorize(begin(b, "one"), iss=two.issuer))  # RFC 9207: mixed up
    assert page.status == 401 and not is_in(b)
    assert sign_in(Browser(s), one, "one").status == 200 and sign_in(Browser(s), two, "two").status == 200
    two.claims = {}  # the same sub and name as at the other: somebody else, who keeps the name of before
    b = Browser(s)
    assert sign_in(b, two, "two").status == 200
    assert "Sluis-User: anna" in b.get("/", host=f"wiki.{PORTAL}").text


ATTACKS = {
    "none": ({}, {"alg": "none"}), "HS256 with the public key": ({}, {"alg": "HS256"}), "another aud": ({"aud": "other"}, {}),
    "several aud": ({"aud": ["sluis", "other"]}, {}), "another azp": ({"azp": "other"}, {}), "another nonce": ({"nonce": "x" * 43}, {}),
    "no nonce": ({"nonce": None}, {}), "over": ({"exp": 1}, {}), "from the future": ({"iat": 99999999999}, {}), "no sub": ({"sub": None}, {}),
    "another issuer": ({"iss": "https://evil.example"}, {}), "crit": ({}, {"crit": ["x"], "x": 1}), "another type": ({}, {"typ": "at+jwt"}),
}


def test_hostile_tokens(world):
    s, p = start(world)
    for why, (claims, head) in ATTACKS.items():
        p.claims, p.head = claims, head
        b = Browser(s)
        page = sign_in(b, p)
        assert page.status == 401 and not is_in(b), (why, page)
    p.claims, p.head = {}, {}
    assert sign_in(Browser(s), p).status == 200
    p.signer = Key("k1")  # a stranger's, by that name
    assert sign_in(Browser(s), p).status == 401
    log_has(s, "the token's signature is wrong")


def test_wrong_answers_hold_up_nobody_else(world):
    """What comes back is 256 bits long: a stranger who guesses at it, or a page that sends people there, keeps nobody of that address out."""
    s, p = start(world)
    add_user(s, "piet")
    for _ in range(80):  # the 61st is not written down any more
        b = Browser(s, keep=True)
        begin(b)
        assert b.get("/oidc/id/callback?code=a&state=b&iss=" + urllib.parse.quote(p.issuer)).status == 401
    seen = [sign_in(Browser(s), p, code="wrong").status for _ in range(20)]
    assert seen == [401] * 20, seen
    assert sign_in(Browser(s), p).status == 200
    assert Browser(s).sign_in("piet").status == 200  # whose name is new to this address
    assert s.log().count("state is not this sign-in") < 80
    log_has(s, "event=sign_in.alarm")


# --- when it is not there ---

def test_provider_that_is_down(world):
    s, p = start(world)
    add_user(s, "piet")
    p.answer = (401, {"error": "invalid_client"})
    page = sign_in(Browser(s), p)
    assert page.status == 503 and "does not answer" in page.text
    log_has(s, "compare client_id")
    p.answer = (500, b"<html>")
    assert sign_in(Browser(s), p).status == 503
    p.answer = (200, b" " * 300000)
    assert sign_in(Browser(s), p).status == 503
    p.answer = None
    b = Browser(s)
    query = p.authorize(begin(b))
    p.stop()
    assert b.get("/oidc/id/callback?" + query).status == 503
    assert Browser(s).sign_in("piet").status == 200
    p.start()
    assert sign_in(Browser(s), p).status == 200


def test_provider_that_never_answers(world):
    s, p = start(world, timeout="1s")
    add_user(s, "piet")
    b = Browser(s)
    query = p.authorize(begin(b))
    p.silent.set()
    began = time.monotonic()
    assert b.get("/oidc/id/callback?" + query).status == 503
    assert time.monotonic() - began < 10
    assert Browser(s).sign_in("piet").status == 200
    p.silent.clear()
    p.released.set()
    assert sign_in(Browser(s), p).status == 200


@pytest.mark.parametrize("metadata, why", [
    ({"issuer": "https://evil.example"}, "another issuer"), ({"token_endpoint": "http://127.0.0.1:9/t"}, "token_endpoint"),
    ({"code_challenge_methods_supported": ["plain"]}, "S256"), ({"response_types_supported": ["id_token"]}, "code flow")])
def test_metadata_that_is_refused(world, metadata, why):
    p = Provider(world, Authority(world.dir, "Provider CA"))
    p.metadata = metadata
    s = world.run(gateway(world, gateway={"oidc": {"id": p.section()}}))
    log_has(s, why)
    page = Browser(s).get("/oidc/id")
    assert page.status == 503 and "does not answer" in page.text


def test_endpoints_elsewhere(world):
    """A host that the configuration does not name is not asked, and a certificate of another authority is not taken."""
    ca = Authority(world.dir, "Provider CA")
    p, other = Provider(world, ca), Provider(world, ca)
    other.keys = p.keys
    p.metadata = {"jwks_uri": other.issuer + "/jwks"}
    s, p = start(world, provider=p)
    assert sign_in(Browser(s), p).status == 503
    log_has(s, "add it there if it belongs to the provider")
    assert not other.asked
    world2 = World()
    try:
        p2 = Provider(world2, Authority(world2.dir, "Provider CA"))
        s2 = world2.run(gateway(world2, gateway={"oidc": {"id": p2.section(ca=ca.path)}}))
        log_has(s2, "certificate")
        assert not p2.asked
    finally:
        world2.close()


def test_hosts(world):
    ca = Authority(world.dir, "Provider CA")
    p, other = Provider(world, ca), Provider(world, ca)
    other.keys = p.keys
    p.metadata = {"jwks_uri": other.issuer + "/jwks"}
    s, p = start(world, provider=p, hosts=[f"127.0.0.1:{other.port}"])
    assert sign_in(Browser(s), p).status == 200 and "/jwks" in other.asked


# --- out ---

def test_sign_out_there_too(world):
    s, p = start(world, label="Example & Co")
    b = Browser(s)
    home = sign_in(b, p)
    page = b.post("/sign-out", {"csrf": home.csrf()})
    link = re.search(r'href="(https://127[^"]*/out[^"]*)"', page.text)
    assert link and "Also sign out at Example &amp; Co" in page.text
    u = urllib.parse.urlsplit(html.unescape(link.group(1)))
    assert dict(urllib.parse.parse_qsl(u.query)) == {"client_id": "sluis", "post_logout_redirect_uri": b.url("/signed-out")}
    assert "Also sign out" not in Browser(s).get("/signed-out").text and "Also sign out" not in Browser(s).get("/signed-out?from=nobody").text


def logout(s, token, name="id"):
    return Browser(s).post(f"/oidc/{name}/logout", {"logout_token": token}, origin=False, cookies=False)


def test_back_channel_logout(world):
    s, p = start(world)
    one, two = Browser(s, keep=True), Browser(s)
    sign_in(one, p)
    p.claims = {"sid": "s-2"}
    sign_in(two, p)
    assert one.get("/", host=f"wiki.{PORTAL}").status == 200 and is_in(two)
    live = one.connect(f"wiki.{PORTAL}")  # an upload that is under way
    live.sendall(f"POST / HTTP/1.1\r\nHost: wiki.{PORTAL}:{s.port()}\r\nCookie: {one.cookies(f'wiki.{PORTAL}')}\r\nOrigin: https://wiki.{PORTAL}:{s.port()}\r\n"
                 "Sec-Fetch-Site: same-origin\r\nContent-Length: 1000000\r\n\r\nbegin".encode())
    token = p.logout_token(sub="u-1")
    page = logout(s, token)
    began = time.monotonic()
    assert page.status == 200 and page.field("cache-control") == "no-store", page
    live.settimeout(5)
    try:
        while live.recv(4096):
            pass
    except OSError:
        pass
    assert time.monotonic() - began < 1.5
    assert one.get("/", host=f"wiki.{PORTAL}", follow=False).status == 303 and not is_in(one)
    assert is_in(two)  # another session at the provider
    replayed = logout(s, token)
    assert replayed.status == 400 and replayed.field("cache-control") == "no-store"
    log_has(s, "was used before")
    assert logout(s, p.logout_token(sid=None, sub="u-1")).status == 200  # all of the person's
    assert not is_in(two)


def test_back_channel_logout_ends_a_sign_in_under_way(world):
    """The provider has said who it is, our second factor is still asked for: what ends there meanwhile does not begin here."""
    s, p = start(world, {"mfa": "true"})
    for claims, token, is_over in (({"sid": "s-1"}, {"sub": "u-1"}, True), ({"sid": "s-2"}, {"sid": "s-2", "sub": None}, True), ({"sid": "s-3"}, {"sid": None, "sub": "u-1"}, True),
                                   ({"sid": "s-4"}, {"sid": "s-1", "sub": "u-1"}, False)):
        p.claims = claims
        b = Browser(s)
        page = sign_in(b, p)
        assert page.url == b.url("/totp"), page
        assert logout(s, p.logout_token(**token)).status == 200
        secret = re.search(r"otpauth://[^\"]*secret=([A-Z2-7]+)", page.text).group(1)
        b.post("/totp", {"csrf": page.csrf(), "code": totp(secret)})
        assert is_in(b) == (not is_over), (claims, token)


def test_who_is_told_to_go_while_the_code_is_looked_at_does_not_come_in(world):
    """Between the question and the provider's answer there is neither a session nor a sign-in that waits."""
    s, p = start(world)
    assert sign_in(Browser(s), p).status == 200  # somebody who is known
    ends = {"that session there": lambda: logout(s, p.logout_token()), "all of the person's there": lambda: logout(s, p.logout_token(sid=None, sub="u-1")),
            "an administrator": lambda: s.cli("sessions", "revoke", "eva")}
    for why, end in ends.items():
        p.meanwhile = end
        b = Browser(s)
        page = sign_in(b, p)
        assert page.status == 400 and not is_in(b), (why, page)
    for other in (lambda: logout(s, p.logout_token(sid="s-2")), lambda: s.cli("sessions", "revoke", "--before", "2020-01-01T00:00:00Z")):
        p.meanwhile = other
        b = Browser(s)
        assert sign_in(b, p).status == 200 and is_in(b)


def test_logout_tokens_that_are_refused(world):
    s, p = start(world)
    b = Browser(s)
    sign_in(b, p)
    for bad in (p.logout_token(aud="other"), p.logout_token(nonce="x"), p.logout_token(events={}), "x.y.z", ""):
        assert logout(s, bad).status in (400, 429)
    good = {"logout_token": p.logout_token()}
    twice = urllib.parse.urlencode([*good.items(), *good.items()]).encode()
    assert b.request("POST", b.url("/oidc/id/logout"), twice, origin=False, cookies=False).status == 400, "which of them would count?"
    assert logout(s, p.logout_token(), "nobody").status == 404
    assert is_in(b)
    assert Browser(s).get("/oidc/id/logout").status == 404


def test_logout_survives_a_restart(world):
    """The provider's session is kept with ours."""
    s, p = start(world)
    b = Browser(s)
    sign_in(b, p)
    for pid in s.pids("identity"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_in(b), "identity is back")
    wait_for(lambda: logout(s, p.logout_token()).status == 200, "the logout")
    wait_for(lambda: not is_in(b), "the end")


def test_nothing_secret_is_logged(world):
    s, p = start(world)
    b = Browser(s)
    query = p.authorize(begin(b))
    values = dict(urllib.parse.parse_qsl(query))
    assert b.get("/oidc/id/callback?" + query).status == 200
    assert b.get("/oidc/id/callback/?" + query).status == 404
    token = p.logout_token()
    assert logout(s, token).status == 200
    everything = s.log() + "\n".join(map(str, s.access()))
    for secret in (values["code"], values["state"], urllib.parse.quote(values["code"], safe=""), token, SECRET, *b.jar[PORTAL].values()):
        assert secret not in everything
