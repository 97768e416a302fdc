"""A sign-in service of OpenID Connect that does what a test tells it to, honest or not. The person's part in the browser is authorize()."""
import base64
import hashlib
import http.server
import json
import os
import ssl
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from left_behind import note

CLIENT, SECRET = "sluis", "s:e cret%/&"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, kid, alg="RS256"):
        self.kid, self.alg = kid, alg
        self.key = rsa.generate_private_key(65537, 2048) if alg == "RS256" else ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        n = self.key.public_key().public_numbers()
        if self.alg == "RS256":
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": number(n.n), "e": number(n.e)}
        return {"kty": "EC", "kid": self.kid, "use": "sig", "crv": "P-256", "x": number(n.x, 32), "y": number(n.y, 32)}

    def sign(self, claims, **head):
        head = {"alg": self.alg, "kid": self.kid, **head}
        text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        if head["alg"] == "none":
            return text + "."
        if head["alg"] == "HS256":  # with what everybody knows
            mac = hmac.HMAC(self.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), hashes.SHA256())
            mac.update(text.encode())
            return text + "." + b64(mac.finalize())
        if self.alg == "RS256":
            return text + "." + b64(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
        r, s = utils.decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class Provider:
    """claims: of the next ID tokens, over the usual ones (None: left out). head: of their headers. metadata: likewise."""

    def __init__(self, world, ca, port=0, alg="RS256", auth="client_secret_basic"):
        self.world, self.alg, self.auth = world, alg, auth
        self.keys = [Key("k1", alg)]
        self.claims, self.head, self.metadata, self.codes, self.asked, self.jtis = {}, {}, {}, {}, [], 0
        self.silent, self.answer, self.signer = threading.Event(), None, None
        self.meanwhile = None  # what happens once, while somebody's code is looked at
        self.released = threading.Event()
        files = ca.issue("127.0.0.1", file=f"provider-{world.number()}")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(files["chain"], files["key"])
        self.ca, self.port, self.server = ca.path, port, None
        world.at_end(self.close)
        self.start()

    def start(self):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                provider.serve(self, b"")

            def do_POST(self):
                provider.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request, address):
                request.settimeout(20)
                super().finish_request(provider.context.wrap_socket(request, server_side=True), address)

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.server = None

    def close(self):
        self.released.set()
        if self.server:
            self.stop()

    @property
    def issuer(self):
        return f"https://127.0.0.1:{self.port}"

    def section(self, **more):
        """gateway.oidc.NAME"""
        secret = os.path.join(self.world.dir, f"secret-{self.port}")
        note(SECRET, "client secret")
        with open(secret, "w") as f:
            f.write(SECRET + "\n")
        section = {"issuer": self.issuer, "client_id": CLIENT, "client_secret": secret, "ca": self.ca, "client_auth": self.auth}
        if self.auth == "none":
            del section["client_secret"]
        return {**section, **more}

    # --- what it answers ---

    def serve(self, to, body):
        if self.silent.is_set():
            self.released.wait(60)
            return
        path = urllib.parse.urlsplit(to.path).path
        self.asked.append(path)
        status, answer = 404, {}
        if path == "/.well-known/openid-configuration":
            status, answer = 200, {"issuer": self.issuer, "authorization_endpoint": self.issuer + "/auth?x=1", "token_endpoint": self.issuer + "/token",
                                   "jwks_uri": self.issuer + "/jwks", "end_session_endpoint": self.issuer + "/out",
                                   "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
                                   "authorization_response_iss_parameter_supported": True, **self.metadata}
        elif path == "/jwks":
            status, answer = 200, {"keys": [k.jwk() for k in self.keys]}
        elif path == "/token":
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile:
                meanwhile()
            status, answer = self.answer or self.token(to, dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True)))
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        to.send_response(status)
        to.send_header("Content-Type", "application/json")
        to.send_header("Content-Length", str(len(data)))
        to.end_headers()
        to.wfile.write(data)

    def is_client(self, to, form):
        given = to.headers.get("Authorization", "")
        if self.auth == "client_secret_basic":
            user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
            return given and urllib.parse.unquote_plus(user) == CLIENT and urllib.parse.unquote_plus(password) == SECRET and "client_secret" not in form
        return not given and form.get("client_id") == CLIENT and form.get("client_secret") == (SECRET if self.auth == "client_secret_post" else None)

    def token(self, to, form):
        asked = self.codes.pop(form.get("code"), None)
        if not self.is_client(to, form):
            return 401, {"error": "invalid_client"}
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or form["grant_type"] != "authorization_code" or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": asked["nonce"], "sub": "u-1", "preferred_username": "eva",
                  "name": "Eva Jansen", "email": "eva@example.org", "sid": "s-1", **self.claims}
        claims = {k: v for k, v in claims.items() if v is not None}
        id_token = (self.signer or self.keys[0]).sign(claims, **self.head)
        note(id_token, "ID token")
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": id_token}

    # --- what it does ---

    def authorize(self, url, **more):
        """The person signs in there: the query of the way back."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, strict_parsing=True))
        assert url.startswith(self.issuer + "/auth?x=1&") and asked["response_type"] == "code" and asked["code_challenge_method"] == "S256", url
        code = f"code/{len(self.asked)}-{b64(os.urandom(12))}+"
        self.codes[code] = asked
        note(code, "provider's code")
        query = {"code": code, "state": asked["state"], "iss": self.issuer, **more}
        return urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})

    def logout_token(self, head=None, **claims):
        now = int(time.time())
        self.jtis += 1
        claims = {"iss": self.issuer, "aud": CLIENT, "exp": now + 120, "iat": now, "jti": f"j{self.jtis}", "sid": "s-1",
                  "events": {"http://schemas.openid.net/event/backchannel-logout": {}}, **claims}
        return self.keys[0].sign({k: v for k, v in claims.items() if v is not None}, typ="logout+jwt", **(head or {}))
