"""TLS towards clients and servers: versions, certificates by name, resumption that outlives a reload."""
import datetime
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import Authority, pem
from harness import Client, free_port, get, wait_for


def trust(ca, version=None):
    c = ssl.create_default_context(cafile=ca.path)
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def serve_tls(world, backend, *certificates, **tls):
    return world.serve(backend, listener={"tls": {"certificates": list(certificates), **tls}})


def peer(client):
    return x509.load_der_x509_certificate(client.sock.getpeercert(True))


V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("version", [V12, V13])
def test_versions(world, version):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"))
    r = get(s.port(), tls=trust(ca, version), name="site.test")
    assert dict(r.json()["fields"])["x-forwarded-proto"] == "https"
    line = s.access_line()
    assert line["tls.version"] and line["tls.cipher"]
    assert s.metric("sluis_tls_handshakes_total") >= 1


def test_older_versions_are_refused(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"))
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(s.port(), tls=old, name="site.test")
    only13 = serve_tls(world, world.scripted(), ca.issue("site.test"), min_version="1.3")
    assert get(only13.port(), tls=trust(ca, V13)).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(only13.port(), tls=trust(ca, V12))


def test_certificates_by_name(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("one.test"), ca.issue("two.test"),
                  ca.issue("wild", "*.wild.test"))
    for name, subject in (("one.test", "one.test"), ("two.test", "two.test"), ("x.wild.test", "wild")):
        with Client(s.port(), tls=trust(ca), name=name) as c:
            assert peer(c).subject.rfc4514_string() == "CN=" + subject
    anyone = trust(ca)
    anyone.check_hostname = False
    with Client(s.port(), tls=anyone, name="else.test") as c:
        assert peer(c).subject.rfc4514_string() == "CN=one.test"


@pytest.mark.parametrize("version", [V12, V13])
def test_resumption_over_workers_and_reloads(world, version):
    ca = Authority(world.dir)
    s = world.serve(world.scripted(), workers=2,
                    listener={"tls": {"certificates": [ca.issue("site.test")]}})
    context = trust(ca, version)
    session = None
    for i in range(12):
        if i == 6:
            s.reload()
        with Client(s.port(), tls=context, session=session) as c:
            assert c.get().status == 200
            assert c.sock.session_reused == (session is not None), i
            session = c.sock.session
    wait_for(lambda: s.metric("sluis_tls_resumed_total") >= 5, "resumptions are counted")


def test_alpn_is_http11(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"))
    context = trust(ca)
    context.set_alpn_protocols(["h9", "http/1.1"])
    with Client(s.port(), tls=context) as c:
        assert c.sock.selected_alpn_protocol() == "http/1.1" and c.get().status == 200


def test_client_certificates(world):
    ca = Authority(world.dir)
    people, strangers = Authority(world.dir, "People"), Authority(world.dir, "Strangers")
    s = serve_tls(world, world.scripted(), ca.issue("site.test"), client_certificates={"mode": "require", "ca": people.path})
    for who, ok in ((people, True), (strangers, False), (None, False)):
        context = trust(ca)
        if who:
            mine = who.issue("anna", file=who.title)
            context.load_cert_chain(mine["chain"], mine["key"])
        if ok:
            assert get(s.port(), tls=context).status == 200
            assert "anna" in s.access_line()["tls.client.subject"]
        else:
            with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
                get(s.port(), tls=context)


def test_hsts_only_over_tls(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"), hsts="365d", hsts_subdomains=True)
    assert get(s.port(), tls=trust(ca)).field("strict-transport-security") == "max-age=31536000; includeSubDomains"


def test_redirect_to_https(world):
    ca, backend = Authority(world.dir), world.scripted()
    plain, tls = free_port(), free_port()
    s = world.run({"listeners": {"plain": {"address": f"127.0.0.1:{plain}", "redirect_to_https": tls},
                                 "web": {"address": f"127.0.0.1:{tls}", "tls": {"certificates": [ca.issue("site.test")]}}},
                   "pools": {"web": {"servers": [backend.address]}}, "routes": [{"pool": "web"}]})
    r = get(plain, "/a/../b?c=d", host="site.test")
    assert (r.status, r.field("location")) == (308, f"https://site.test:{tls}/b?c=d")
    assert backend.heads == [] and get(s.port(), tls=trust(ca)).status == 200


def test_a_plain_request_on_a_tls_port_and_garbage_are_dropped(world):
    ca, backend = Authority(world.dir), world.scripted()
    s = serve_tls(world, backend, ca.issue("site.test"))
    for text in ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x00" * 100):
        with Client(s.port()) as c:
            c.send(text)
            assert b"HTTP" not in c.until_end()
    assert backend.heads == [] and get(s.port(), tls=trust(ca)).status == 200


def test_certificates_are_taken_anew_by_a_reload(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test", file="site"))
    with Client(s.port(), tls=trust(ca)) as c:
        first = peer(c).serial_number
    ca.issue("site.test", file="site")
    s.reload()
    with Client(s.port(), tls=trust(ca)) as c:
        assert peer(c).serial_number != first


def test_expiry_is_a_metric(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test", days=9))
    at = s.metric('sluis_certificate_expiry_seconds{listener="web",certificate="0"}')
    assert abs(at - (ca.now.replace(tzinfo=datetime.timezone.utc).timestamp() + 9 * 86400)) < 90


def test_servers_are_verified(world):
    ca, other = Authority(world.dir), Authority(world.dir, "Other")
    cert = ca.issue("backend.test")
    nginx = world.nginx("tls", tls=f"ssl_certificate {cert['chain']}; ssl_certificate_key {cert['key']};")
    cases = [({"ca": ca.path, "server_name": "backend.test"}, 200), ({"ca": ca.path, "server_name": "wrong.test"}, 502),
             ({"ca": other.path, "server_name": "backend.test"}, 502), ({"ca": ca.path}, 502), ({"verify": False}, 200)]
    for tls, want in cases:
        s = world.serve(nginx, pool={"tls": tls})
        with Client(s.port()) as c:
            assert c.get().status == want, tls
            if want == 200:
                assert c.get().body == b"tls\n"


def test_our_certificate_for_servers(world):
    ca = Authority(world.dir)
    cert, ours = ca.issue("backend.test"), ca.issue("sluis.test")
    nginx = world.nginx("tls", tls=f"ssl_certificate {cert['chain']}; ssl_certificate_key {cert['key']};"
                                   f"ssl_client_certificate {ca.path}; ssl_verify_client on;")
    s = world.serve(nginx, pool={"tls": {"ca": ca.path, "server_name": "backend.test", **ours}})
    assert get(s.port()).body == b"tls\n"


def test_an_ocsp_answer_is_stapled(world):
    ca = Authority(world.dir)
    cert = ca.issue("site.test")
    index = ca.write("index.txt", b"")
    key = ca.write("ca.key", pem(ca.key))
    answer = world.dir + "/site.ocsp"
    with open(cert["chain"], "rb") as f:
        c = x509.load_pem_x509_certificate(f.read())
    with open(index, "w") as f:
        f.write(f"V\t{c.not_valid_after:%y%m%d%H%M%SZ}\t\t{c.serial_number:X}\tunknown\t/CN=site.test\n")
    leaf = ca.write("leaf.pem", c.public_bytes(Encoding.PEM))
    request = world.dir + "/request.ocsp"
    subprocess.run(["openssl", "ocsp", "-issuer", ca.path, "-cert", leaf, "-reqout", request, "-no_nonce"], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "ocsp", "-index", index, "-CA", ca.path, "-rsigner", ca.path, "-rkey", key, "-reqin",
                    request, "-respout", answer, "-ndays", "1"], check=True, capture_output=True)
    s = serve_tls(world, world.scripted(), dict(cert, ocsp=answer))
    out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{s.port()}", "-servername", "site.test",
                          "-status"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
    assert "OCSP Response Status: successful" in out and "Cert Status: good" in out


def test_the_subject_of_a_client_decides(world):
    ca, people = Authority(world.dir), Authority(world.dir, "People")
    s = world.serve(world.scripted(), listener={"tls": {"certificates": [ca.issue("site.test")],
                                                        "client_certificates": {"mode": "optional", "ca": people.path}}},
                    policies=[{"name": "staff", "if": 'starts_with(http.path, "/staff/") and tls.client.subject != "CN=anna"',
                               "then": {"block": 403}}])
    for who, status in (("anna", 200), ("bert", 403), (None, 403)):
        for version in (V12, V13):
            context = trust(ca, version)
            if who:
                context.load_cert_chain(*people.issue(who).values())
            with Client(s.port(), tls=context) as c:
                assert c.get(f"/staff/{who}").status == status, (who, version)
                assert c.get("/open").status == 200
                session = c.sock.session
            line = s.access_line(url__original=f"/staff/{who}", http__response__status_code=status,
                                 tls__version="1.2" if version == V12 else "1.3")
            assert line.get("tls.client.subject", "") == (f"CN={who}" if who else "")
            with Client(s.port(), tls=context, session=session) as c:  # resumed: the certificate is remembered
                assert c.sock.session_reused and c.get(f"/staff/{who}").status == status, (who, version)


def test_no_common_protocol_is_refused(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"))
    context = trust(ca)
    context.set_alpn_protocols(["h9", "smtp"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Client(s.port(), tls=context)
    assert get(s.port(), tls=trust(ca)).status == 200


def test_a_client_may_not_renegotiate(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"))
    p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{s.port()}", "-tls1_2"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        p.stdin.write(b"R\n")
        p.stdin.flush()
        out = p.communicate(timeout=20)[0]
    finally:
        p.kill()
        p.wait()
    assert b"RENEGOTIATING" in out and b"no renegotiation" in out and get(s.port(), tls=trust(ca)).status == 200


def test_why_a_server_was_refused_is_in_the_log(world):
    ca, other = Authority(world.dir), Authority(world.dir, "Other")
    good, old = ca.issue("backend.test"), ca.issue("backend.test", file="old", days=-0.5)
    nginx = {n: world.nginx(n, tls=f"ssl_certificate {c['chain']}; ssl_certificate_key {c['key']};")
             for n, c in (("good", good), ("old", old))}
    ours = {"ca": ca.path, "server_name": "backend.test"}
    cases = [("good", dict(ours, server_name="wrong.test"), "hostname mismatch"),
             ("good", dict(ours, ca=other.path), "self-signed certificate in certificate chain"),
             ("old", ours, "certificate has expired"), ("good", {"ca": ca.path}, "IP address mismatch")]
    for server, tls, why in cases:
        s = world.serve(nginx[server], pool={"tls": tls})
        assert get(s.port()).status == 502, why
        line = s.access_line(http__response__status_code=502)
        assert line["event.reason"] == "server-tls" and why in line["error.message"], line


def test_curl_speaks_with_both_kinds(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test"), ca.issue("site.test", kind="rsa"))
    for extra in (["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES256-GCM-SHA384"], ["--tls-max", "1.2"], ["--tlsv1.3"]):
        r = subprocess.run(["curl", "-sS", "--cacert", ca.path, "--resolve", f"site.test:{s.port()}:127.0.0.1", "-o", "/dev/null",
                            "-w", "%{http_code} %{ssl_verify_result}", *extra, f"https://site.test:{s.port()}/"],
                           capture_output=True, text=True, timeout=20)
        assert r.stdout == "200 0", (extra, r.stdout, r.stderr)
