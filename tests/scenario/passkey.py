"""A passkey in software: what a browser and its authenticator make of the portal's options (WebAuthn Level 3, ES256, no attestation)."""
import base64
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from portal import PORTAL


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def head(major, n):
    return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + struct.pack(">H", n)


def octets(b):
    return head(2, len(b)) + b


def text(s):
    return head(3, len(s)) + s.encode()


class Passkey:
    def __init__(self):
        self.key, self.id, self.handle, self.count = ec.generate_private_key(ec.SECP256R1()), os.urandom(24), "", 0

    def client_data(self, b, kind, challenge):
        return json.dumps({"type": kind, "challenge": challenge, "origin": b.url(""),
                           "crossOrigin": False}).encode()

    def auth_data(self, flags):
        self.count += 1
        return hashlib.sha256(PORTAL.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count)

    def add(self, b, csrf):
        """To whom b is signed in as."""
        options = json.loads(b.post("/passkey/new", {"csrf": csrf}).text)
        self.handle = options["user"]["id"]
        n = self.key.public_key().public_numbers()
        cose = head(5, 5) + b"\x01\x02\x03\x26\x20\x01\x21" + octets(n.x.to_bytes(32, "big")) + b"\x22" + octets(n.y.to_bytes(32, "big"))
        data = self.auth_data(0x45) + bytes(16) + struct.pack(">H", len(self.id)) + self.id + cose
        made = head(5, 3) + text("fmt") + text("none") + text("attStmt") + head(5, 0) + text("authData") + octets(data)
        page = b.post("/passkey/add", {"csrf": csrf, "name": "key", "clientData": b64(self.client_data(b, "webauthn.create", options["challenge"])),
                                       "attestation": b64(made)})
        assert page.status == 200 and json.loads(page.text)["ok"], page

    def sign_in(self, b, next=""):
        """The page's status, and what its script is told."""
        challenge = json.loads(b.post("/passkey/begin", {}).text)["challenge"]
        client, data = self.client_data(b, "webauthn.get", challenge), self.auth_data(0x05)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        page = b.post("/passkey/sign-in", {"id": b64(self.id), "clientData": b64(client), "authenticatorData": b64(data), "signature": b64(signed),
                                           "userHandle": self.handle, **({"next": next} if next else {})})
        return page.status, json.loads(page.text)
