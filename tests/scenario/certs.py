"""A certificate authority for one scenario, and what it issues."""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class Authority:
    def __init__(self, folder, title="Test CA"):
        self.dir, self.key, self.title = folder, ec.generate_private_key(ec.SECP256R1()), title
        self.now = datetime.datetime.utcnow()
        self.cert = self.builder(title, self.key.public_key(), 30).add_extension(
            x509.BasicConstraints(True, None), True).sign(self.key, hashes.SHA256())
        self.path = self.write(title.replace(" ", "-") + ".pem", self.cert.public_bytes(serialization.Encoding.PEM))

    def builder(self, subject, public_key, days):
        return (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(self.title))
                .public_key(public_key).serial_number(x509.random_serial_number())
                .not_valid_before(self.now - datetime.timedelta(days=1))
                .not_valid_after(self.now + datetime.timedelta(days=days)))

    def write(self, file, data):
        path = os.path.join(self.dir, file)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def issue(self, subject, *names, kind="ecdsa", days=30, file=None, key=None):
        """{"chain": path, "key": path}, as the configuration wants it."""
        key = key or (rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1()))
        alt = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names or (subject,)]
        cert = self.builder(subject, key.public_key(), days).add_extension(
            x509.SubjectAlternativeName(alt), False).sign(self.key, hashes.SHA256())
        file = file or f"{subject}-{kind}"
        data = cert.public_bytes(serialization.Encoding.PEM) + self.cert.public_bytes(serialization.Encoding.PEM)
        return {"chain": self.write(file + ".pem", data), "key": self.write(file + ".key", pem(key))}
