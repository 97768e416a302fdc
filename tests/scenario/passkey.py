"""A passkey in software, and the browser's half of asking for it (web/passkey.js): ES256, attestation "none", the user verified."""
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from device import b64
from portal import PORTAL

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def head(major, n):
    """RFC 8949 3: the first octets of an item."""
    return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + n.to_bytes(2, "big")


def blob(data):
    return head(2, len(data)) + data


def text(s):
    return head(3, len(s)) + s.encode()


class Passkey:
    def __init__(self):
        self.key, self.id, self.handle = ec.generate_private_key(ec.SECP256R1()), os.urandom(16), ""

    def data(self, flags, more=b""):
        return hashlib.sha256(PORTAL.encode()).digest() + bytes([flags]) + bytes(4) + more

    @staticmethod
    def client_data(b, kind, challenge):
        return json.dumps({"type": "webauthn." + kind, "challenge": challenge, "origin": b.url("").rstrip("/"), "crossOrigin": False}).encode()

    def add(self, b, csrf, name="Key on the desk"):
        """It becomes the account's. What the portal answers, as a page."""
        asked = b.post("/passkey/new", {"csrf": csrf})
        assert asked.status == 200, asked
        options = json.loads(asked.body)
        self.handle = options["user"]["id"]
        n = self.key.public_key().public_numbers()
        cose = head(5, 5) + bytes([1, 2, 3, 0x26, 0x20, 1, 0x21]) + blob(n.x.to_bytes(32, "big")) + bytes([0x22]) + blob(n.y.to_bytes(32, "big"))
        data = self.data(PRESENT | VERIFIED | ATTESTED, bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose)
        attestation = head(5, 3) + text("fmt") + text("none") + text("attStmt") + head(5, 0) + text("authData") + blob(data)
        return b.post("/passkey/add", {"csrf": csrf, "name": name, "attestation": b64(attestation),
                                       "clientData": b64(self.client_data(b, "create", options["challenge"]))})

    def prove(self, b, ask, result, csrf="", **more):
        """Asks for a challenge at one path, and answers it at the other."""
        asked = b.post(ask, {"csrf": csrf})
        assert asked.status == 200, asked
        client, data = self.client_data(b, "get", json.loads(asked.body)["challenge"]), self.data(PRESENT | VERIFIED)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return b.post(result, {"csrf": csrf, "id": b64(self.id), "clientData": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
                               "userHandle": self.handle, **more})

    def sign_in(self, b, **more):
        """Alone, without a name or a password."""
        return self.prove(b, "/passkey/begin", "/passkey/sign-in", **more)
