"""Debian's slapd with people and groups of one scenario, and what its log says of who bound as whom."""
import os
import re
import subprocess

from harness import Process, free_port, port_answers, wait_for
from left_behind import note

BASE = "dc=example,dc=org"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "the admin's own"
SERVICE, SERVICE_PASSWORD = f"cn=sluis,{BASE}", "the service's own"
PASSWORD = "vier blauwe boten 9"


def person(name, password=PASSWORD, ou="people", **more):
    lines = [f"dn: uid={name},ou={ou},{BASE}", "objectClass: inetOrgPerson", f"uid: {name}", f"cn: {more.pop('cn', name.title() + ' Jansen')}",
             "sn: Jansen", f"userPassword: {password}"] + [f"{k}: {v}" for k, v in more.items()]
    return "\n".join(lines) + "\n"


def group(name, *members):
    return "\n".join([f"dn: cn={name},ou=groups,{BASE}", "objectClass: groupOfNames", f"cn: {name.replace(chr(92), '')}"] +
                     [f"member: uid={m},ou=people,{BASE}" for m in members or ("nobody",)]) + "\n"


class Slapd:
    """memberof tells an entry's groups; cert: {"chain", "key"} for LDAPS and StartTLS."""

    def __init__(self, world, entries, cert=None, ca=None, name="a"):
        self.dir = os.path.join(world.dir, "slapd-" + name)
        os.makedirs(os.path.join(self.dir, "db"))
        self.port, self.tls_port = free_port(), free_port()
        tls = f"TLSCACertificateFile {ca}\nTLSCertificateFile {cert['chain']}\nTLSCertificateKeyFile {cert['key']}\n" if cert else ""
        with open(os.path.join(self.dir, "slapd.conf"), "w") as f:
            f.write("".join(f"include /etc/ldap/schema/{s}.schema\n" for s in ("core", "cosine", "nis", "inetorgperson")) + f"""
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {self.dir}/pid
argsfile {self.dir}/args
{tls}database mdb
maxsize 16777216
suffix "{BASE}"
directory {self.dir}/db
rootdn "{ADMIN}"
rootpw "{ADMIN_PASSWORD}"
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SERVICE}" read by anonymous read by * read
""")
        urls = f"ldap://127.0.0.1:{self.port}/" + (f" ldaps://127.0.0.1:{self.tls_port}/" if cert else "")
        self.argv = ["/usr/sbin/slapd", "-d", "256", "-f", os.path.join(self.dir, "slapd.conf"), "-h", urls]
        self.start()
        world.at_end(self.kill)
        self.add(f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
                 f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n", f"dn: ou=others,{BASE}\nobjectClass: organizationalUnit\nou: others\n",
                 f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n",
                 f"dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: sluis\nuserPassword: {SERVICE_PASSWORD}\n", *entries)

    def start(self):
        self.process = Process(self.argv, os.path.join(self.dir, "log"))
        wait_for(lambda: self.process.child.poll() is not None or port_answers(self.port), "slapd")
        assert self.process.child.poll() is None, self.process.log()

    def kill(self):
        self.process.kill()

    def run(self, program, text, *more):
        subprocess.run([program, "-x", "-H", f"ldap://127.0.0.1:{self.port}/", "-D", ADMIN, "-w", ADMIN_PASSWORD, *more], input=text, text=True, check=True,
                       capture_output=True)

    def add(self, *entries):
        self.run("/usr/bin/ldapadd", "\n".join(entries))

    def modify(self, dn, text):
        self.run("/usr/bin/ldapmodify", f"dn: {dn}\nchangetype: modify\n{text}\n")

    def delete(self, dn):
        self.run("/usr/bin/ldapdelete", "", dn)

    def rename(self, dn, rdn):
        self.run("/usr/bin/ldapmodrdn", "", "-r", dn, rdn)

    def binds(self):
        """The DNs that were bound as, in order; '' for nobody."""
        return re.findall(r'BIND dn="([^"]*)" method=128', self.process.log())

    def searches(self):
        return re.findall(r'SRCH base=".*?filter="(.*)"', self.process.log())

    def section(self, world, tls="off", **more):
        note(SERVICE_PASSWORD, "password of the service account")
        password = os.path.join(world.dir, "ldap.password")
        with open(password, "w") as f:
            f.write(SERVICE_PASSWORD + "\n")
        return {"servers": [f"127.0.0.1:{self.tls_port if tls == 'ldaps' else self.port}"], "tls": tls, "base": f"ou=people,{BASE}", "bind_dn": SERVICE,
                "bind_password": password, "filter": "(&(objectClass=inetOrgPerson)(uid=%u))", **more}
