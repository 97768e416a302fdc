"""A browser that binds its sessions to a key, as Chromium does (Device Bound Session Credentials): the key is here in software."""
import base64
import json
import re
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from portal import PORTAL, Browser

DEVICE = "__Host-sluis-device"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


class Key:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        n = self.key.public_key().public_numbers()
        self.jwk = {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}

    def sign(self, header, payload):
        signed = f"{part(header)}.{part(payload)}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def proof(self, challenge, registers=False, **more):
        header = {"typ": "dbsc+jwt", "alg": "ES256", **({"jwk": self.jwk} if registers else {})}
        return self.sign(header, {"jti": challenge, "iat": int(time.time()), **more})


class DeviceBrowser(Browser):
    """offers: by host, what the last answer there asked it to register with; bound: by host, key and instructions. It registers when it is told to."""

    def __init__(self, s, **kw):
        super().__init__(s, **kw)
        self.offers, self.bound = {}, {}

    def take(self, host, fields):
        super().take(host, fields)
        for name, value in fields:
            if name.lower() == "secure-session-registration":
                found = re.fullmatch(r'\(ES256\);path="(/[^"]*)";challenge="([A-Za-z0-9_-]{43})"', value)
                assert found, value
                self.offers[host] = found.groups()

    def prove(self, host, path, **fields):
        headers = [f"{n}: {v}" for n, v in fields.items() if v is not None]
        return self.request("POST", self.url(path, host), b"", headers=headers, follow=False, origin=False)

    def register(self, host=PORTAL, key=None, proof=None):
        path, challenge = self.offers[host]
        key = key or Key()
        page = self.prove(host, path, **{"Secure-Session-Response": proof or key.proof(challenge, registers=True)})
        if page.status == 200:
            said = json.loads(page.body)
            assert page.field("Cache-Control") == "no-store" and self.jar[host][DEVICE]
            self.bound[host] = (key, said)
        return page

    def refresh(self, host=PORTAL, key=None, proof=None, challenge=None, **claims):
        """Asks for a challenge where none is given, and proves with it. The last answer."""
        own, said = self.bound[host]
        name = {"Sec-Secure-Session-Id": said["session_identifier"]}
        if not proof and not challenge:
            page = self.prove(host, said["refresh_url"], **name)
            if page.status != 403:
                return page
            challenge = self.challenge_of(page, said)
        return self.prove(host, said["refresh_url"], **name, **{"Secure-Session-Response": proof or (key or own).proof(challenge, **claims)})

    @staticmethod
    def challenge_of(page, said):
        found = re.fullmatch(r'"([A-Za-z0-9_-]{43})";id="([0-9a-f]{16})"', page.field("Secure-Session-Challenge") or "")
        assert found and found.group(2) == said["session_identifier"], page
        return found.group(1)

    def thief(self, *without):
        """Another machine with all cookies of this browser, but for those named."""
        other = DeviceBrowser(self.s)
        other.jar = {host: {n: v for n, v in jar.items() if n not in without} for host, jar in self.jar.items()}
        return other
