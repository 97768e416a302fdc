"""Certificates: of two kinds side by side, checked before they are used, renewed, and ending."""
import os
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs import Authority, pem
from harness import BUILD, Client, get, wait_for
from test_tls import V12, V13, peer, serve_tls, trust


def s_client(port, *args, name="site.test"):
    name = ["-servername", name] if name else ["-noservername"]
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *name, *args],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return r.stdout + r.stderr


def both(ca, *names):
    return ca.issue("site.test", *names), ca.issue("site.test", *names, kind="rsa")


@pytest.mark.parametrize("order", ["ecdsa first", "rsa first"])
def test_rsa_and_ecdsa_side_by_side(world, order):
    ca = Authority(world.dir)
    two = both(ca)
    s = serve_tls(world, world.scripted(), *(two if order == "ecdsa first" else reversed(two)))
    cases = [(["-tls1_3"], "ECDSA"), (["-tls1_2"], "ECDSA"),
             (["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"), (["-tls1_2", "-sigalgs", "RSA-PSS+SHA384"], "RSA-PSS"),
             (["-tls1_2", "-sigalgs", "RSA+SHA256"], "RSA"), (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA-PSS"),
             (["-tls1_2", "-sigalgs", "ECDSA+SHA512"], "ECDSA"), (["-tls1_3", "-groups", "P-256"], "ECDSA")]
    for args, kind in cases:
        out = s_client(s.port(), "-CAfile", ca.path, "-verify_return_error", *args)
        assert f"Peer signature type: {kind}\n" in out, (args, out)
        assert "Verify return code: 0 (ok)" in out, (args, out)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 4096),
                                 ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())],
                         ids=["rsa2048", "rsa4096", "p384", "p521"])
def test_each_kind_of_key(world, version, key):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test", key=key))
    context, session = trust(ca, version), None
    for i in range(3):
        with Client(s.port(), tls=context, session=session) as c:
            assert c.get().status == 200 and c.sock.session_reused == (i > 0)
            session = c.sock.session


def test_names_choose_among_kinds(world):
    """The RSA certificate has more names: it stands beside the ECDSA one for the name that both have."""
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("one.test"), ca.issue("one.test", "one.test", "two.test", kind="rsa"),
                  ca.issue("wild", "*.wild.test"))
    for name, args, want in (("one.test", [], "ECDSA"), ("ONE.test", [], "ECDSA"), ("two.test", [], "RSA-PSS"),
                             ("one.test", ["-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"), ("a.wild.test", [], "ECDSA"),
                             ("a.b.wild.test", [], "ECDSA")):
        assert f"Peer signature type: {want}\n" in s_client(s.port(), *args, name=name), name
    assert "subject=CN = wild" in s_client(s.port(), name="a.wild.test")
    assert "subject=CN = one.test" in s_client(s.port(), name="a.b.wild.test")
    assert "subject=CN = one.test" in s_client(s.port(), name=None)


def check(file):
    r = subprocess.run([os.path.join(BUILD, "sluis"), "check", file], capture_output=True, text=True, timeout=60,
                       env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    return r.returncode, r.stdout + r.stderr


def site(world, chain="a.pem", key="a.key", more=""):
    """A configuration whose certificate stands in line 5."""
    path = os.path.join(world.dir, "site.yaml")
    with open(path, "w") as f:
        f.write(f"listeners:\n  web:\n    address: 127.0.0.1:8443\n    tls:\n      certificates: [{{chain: {chain}, key: {key}{more}}}]\n"
                "pools: {app: {servers: ['127.0.0.1:9001']}}\nroutes: [{pool: app}]\n")
    return path


def test_check_tells_what_is_wrong_with_certificates(world):
    ca, other = Authority(world.dir), Authority(world.dir, "Other CA")
    ca.issue("site.test", file="a")
    ca.issue("site.test", file="b", kind="rsa")
    ca.issue("site.test", file="old", days=-0.5)
    ca.issue("site.test", file="ed", key=ed25519.Ed25519PrivateKey.generate())
    ca.issue("site.test", file="small", key=rsa.generate_private_key(65537, 1024))
    ca.write("none.pem", b"nothing here\n")
    with open(os.path.join(world.dir, "a.pem"), "rb") as f:
        chain = f.read()
    ca.write("cut.pem", chain[:-200])
    with open(other.path, "rb") as f:
        ca.write("mixed.pem", chain[:chain.index(b"-----END") + 26] + f.read())
    subprocess.run(["openssl", "pkey", "-in", world.dir + "/a.key", "-out", world.dir + "/locked.key", "-aes128", "-passout",
                    "pass:x"], check=True)
    for file in os.listdir(world.dir):  # the check runs as nobody when root starts it
        os.chmod(os.path.join(world.dir, file), 0o644)
    os.chmod(world.dir, 0o755)
    cases = [  # chain, key, more, status, where, text
        ("a.pem", "a.key", "", 0, None, "valid: 1 listeners"),
        ("a.pem", "b.key", "", 1, "key: ", "the key 'b.key' does not belong to the certificate in 'a.pem'; name the key"),
        ("a.pem", "gone.key", "", 1, "key: ", "the key 'gone.key' cannot be read (not_found); paths are taken from"),
        ("a.pem", "a.pem", "", 1, "key: ", "'a.pem' holds no private key in PEM without a password; write it without"),
        ("a.pem", "locked.key", "", 1, "key: ", "'locked.key' holds no private key in PEM without a password"),
        ("none.pem", "a.key", "", 1, "chain: ", "'none.pem' holds no certificate in PEM; name a file"),
        ("cut.pem", "a.key", "", 1, "chain: ", "certificate 2 of 'cut.pem' cannot be read; take the file anew"),
        ("ed.pem", "ed.key", "", 1, "chain: ", "the key of the certificate in 'ed.pem' is of a kind that is not supported; issue"),
        ("small.pem", "small.key", "", 1, "chain: ", "is of a kind that is not supported; issue one with a key of ECDSA"),
        ("old.pem", "old.key", "", 0, "chain: ", "warning: certificate 1 of 'old.pem' is valid only until 20"),
        ("mixed.pem", "a.key", "", 0, "chain: ", "warning: certificate 2 of 'mixed.pem' did not issue the one before it; write"),
        ("a.pem", "a.key", ", ocsp: none.pem", 1, "ocsp: ", "'none.pem' holds no successful OCSP answer in DER; fetch"),
    ]
    for chain, key, more, status, where, text in cases:
        file = site(world, chain, key, more)
        code, out = check(file)
        assert code == status and text in out, (chain, key, out)
        with open(file) as f:
            line = f.read().splitlines()[4]
        assert not where or f"{file}:5:{line.index(where) + len(where) + 1}: " in out, (chain, key, out)


def test_a_key_of_another_certificate_does_not_start_a_configuration(world):
    ca = Authority(world.dir)
    good, other = ca.issue("site.test"), ca.issue("other.test")
    s = serve_tls(world, world.scripted(), good)
    s.config["listeners"]["web"]["tls"]["certificates"] = [{"chain": good["chain"], "key": other["key"]}]
    s.write()
    r = s.cli("reload", ok=False)
    assert r.returncode != 0 and "keeper" in r.stdout + r.stderr
    line = next(x for x in s.log().splitlines() if "key.refused" in x)
    assert other["key"] in line and "does not belong to the certificate" in line
    s.config["listeners"]["web"]["tls"]["certificates"] = [{"chain": ca.write("none.pem", b"x"), "key": good["key"]}]
    s.write()
    r = s.cli("reload", ok=False)
    assert r.returncode != 0 and "holds no certificate in PEM" in r.stdout + r.stderr
    with Client(s.port(), tls=trust(ca)) as c:
        assert c.get().status == 200  # the configuration before is in use
    s.config["listeners"]["web"]["tls"]["certificates"] = [good]
    s.reload()
    assert get(s.port(), tls=trust(ca)).status == 200


def test_a_reload_brings_a_certificate_and_leaves_connections(world):
    ca = Authority(world.dir)
    s = serve_tls(world, world.scripted(), ca.issue("site.test", file="site"))
    with Client(s.port(), tls=trust(ca)) as old:
        assert old.get().status == 200
        first = peer(old).serial_number
        ca.issue("site.test", file="site", kind="rsa")
        s.reload()
        with Client(s.port(), tls=trust(ca)) as c:
            assert peer(c).serial_number != first and c.get().status == 200
        assert old.get().status == 200


def test_certificates_that_end_are_told(world):
    ca = Authority(world.dir)
    chains = [ca.issue(f"d{days}.test", days=days) for days in (29.5, 5.5, -0.5)]
    long = ca.issue("long.test", days=300)
    for c in chains + [long]:  # the leaf alone: the authority ends in 30 days as well
        with open(c["chain"], "rb") as f:
            text = f.read()
        with open(c["chain"], "wb") as f:
            f.write(text[:text.index(b"-----END") + 26])
    s = serve_tls(world, world.scripted(), long, *chains)
    wait_for(lambda: s.log().count("certificate.expire") == 3, "three certificates are told")
    lines = [x for x in s.log().splitlines() if "certificate.expire" in x]
    for c, event, days in zip(chains, ("certificate.expires", "certificate.expires", "certificate.expired"), (29, 5, 0)):
        line = next(x for x in lines if c["chain"] in x)
        assert event in line and f"days={days}" in line, line
