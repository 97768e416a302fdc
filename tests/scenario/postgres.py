"""Debian's PostgreSQL for one scenario: a server of its own with TLS and passwords, which can be stopped and started again with what it has."""
import glob
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess

from certs import Authority
from harness import PATIENCE, free_port, wait_for
from left_behind import note

ROLE, DATABASE, PASSWORD = "sluis", "sluis", "zes grijze 'kluizen' %40 @/\\ 6"
SUPERUSER, SUPERUSER_PASSWORD = "postgres", "the superuser's own"
NAMES = ("db.test", "127.0.0.1")  # of its certificate
READY = "database system is ready to accept connections"


def programs():
    """The folder of the newest server that is installed, with all that is needed of it."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    whole = [p for p in found if all(os.access(os.path.join(p, n), os.X_OK) for n in ("initdb", "postgres", "psql"))]
    assert whole, f"no PostgreSQL (initdb, postgres, psql) in {found or '/usr/lib/postgresql'}: apt-get install postgresql"
    return whole[-1]


def quiet_port():
    """A free port that no connection gets as its own: while a server is away, who tries to reach it must not find himself there."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first = int(f.read().split()[0])
    for _ in range(1000 if first > 11000 else 0):
        port = random.randrange(10000, first)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    return free_port()


def unprivileged():
    """How Popen is told to run it as somebody else: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            who = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    raise AssertionError("neither a user postgres nor nobody")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Postgres:
    """The role sluis owns the database sluis. Its password is in password_file, the authority of the server's certificate in ca."""

    def __init__(self, world, name="a"):
        self.bin, self.who, self.port, self.child, self.out = programs(), unprivileged(), quiet_port(), None, None
        self.is_frozen = False
        self.dir = os.path.join(world.dir, "postgres-" + name)
        self.data, self.log_path = os.path.join(self.dir, "data"), os.path.join(self.dir, "log")
        os.makedirs(self.dir)
        self.authority = Authority(self.dir, "Database CA")
        self.ca = self.authority.path
        note(PASSWORD, "password of the database")
        self.password_file = self.secret("sluis.password", PASSWORD)
        self.begin()
        self.certificate(*NAMES)
        world.at_end(self.end)
        self.start()
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD {quoted(PASSWORD)}", "postgres")
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {ROLE}", "postgres")

    def give(self, path):
        if self.who:
            os.chown(path, self.who["user"], self.who["group"])

    def secret(self, file, text):
        """A file with this line, which its owner alone may read."""
        path = os.path.join(self.dir, file)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text + "\n")
        return path

    def environment(self, **more):
        """Nothing of whoever runs the test says where to connect, or in which language."""
        return {**{k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}, "LC_ALL": "C", **more}

    def begin(self):
        """A folder of data, its settings, and who may come in how."""
        own = self.secret("superuser.password", SUPERUSER_PASSWORD)
        os.mkdir(self.data, 0o700)
        for path in (own, self.data):
            self.give(path)
        r = subprocess.run([os.path.join(self.bin, "initdb"), "-D", self.data, "-U", SUPERUSER, "--pwfile", own, "-A", "scram-sha-256", "--no-sync",
                            "--locale=C", "-E", "UTF8"], capture_output=True, text=True, cwd=self.dir, env=self.environment(), **self.who)
        assert r.returncode == 0, r.stdout + r.stderr
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.write(f"""
listen_addresses = '127.0.0.1'
port = {self.port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
fsync = off
shared_buffers = 16MB
max_connections = 60
autovacuum = off
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %u@%d '
""")
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as f:
            f.write("host all all 127.0.0.1/32 scram-sha-256\n")  # with TLS or without

    def certificate(self, *names):
        """A certificate for these names, from the next start on."""
        made = self.authority.issue(names[0], *names, file="server")
        for part, file in (("chain", "server.pem"), ("key", "server.key")):
            path = os.path.join(self.data, file)
            shutil.copy(made[part], path)
            os.chmod(path, 0o600)
            self.give(path)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    @property
    def is_up(self):
        return self.child is not None and self.child.poll() is None

    def start(self):
        """At its port, with what is in its folder; back when it takes connections."""
        assert not self.is_up
        self.out = open(self.log_path, "ab")
        seen = os.path.getsize(self.log_path)
        self.child = subprocess.Popen([os.path.join(self.bin, "postgres"), "-D", self.data], stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out,
                                      cwd=self.dir, env=self.environment(), **self.who)
        wait_for(lambda: self.child.poll() is not None or READY in self.log()[seen:], "PostgreSQL is up")
        assert self.child.poll() is None, self.log()

    def tell_all(self, sig):
        """To the server and each process of it: a connection has one of its own."""
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    parents[int(pid)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
        for pid in [self.child.pid] + [p for p, parent in parents.items() if parent == self.child.pid]:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass

    def freeze(self):
        """It hangs: connections stay and new ones are made, but nothing is answered. The server first, so that no process is new."""
        self.tell_all(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self):
        if self.is_frozen:
            self.tell_all(signal.SIGCONT)
            self.is_frozen = False

    def stop(self, how=signal.SIGINT):
        """Connections are ended at once, and it is gone. SIGQUIT: without tidying up, as after a crash."""
        self.thaw()
        if self.is_up:
            self.child.send_signal(how)
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.send_signal(signal.SIGQUIT)
            self.child.wait(PATIENCE)
            raise AssertionError(f"PostgreSQL did not stop:\n{self.log()[-4000:]}")
        finally:
            self.out.close()

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def end(self):
        if self.child:
            self.stop()

    def sql(self, text, database=DATABASE):
        """What the superuser gets for it: a line for each row, columns divided by |."""
        where = f"host=127.0.0.1 port={self.port} user={SUPERUSER} dbname={database} sslmode=verify-full sslrootcert={self.ca}"
        r = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", where, "-c", text], capture_output=True,
                           text=True, timeout=PATIENCE, env=self.environment(PGPASSWORD=SUPERUSER_PASSWORD))
        assert r.returncode == 0, (text, r.stdout, r.stderr)
        return r.stdout.strip()

    def connections(self):
        """How many the role has."""
        return int(self.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'"))

    def section(self, servers=None, query="", **more):
        """What is written below gateway: for a node that keeps its sessions here."""
        servers = servers or [f"127.0.0.1:{self.port}"]
        return {"store": f"postgresql://{ROLE}@{','.join(servers)}/{DATABASE}{query}", "store_password": self.password_file,
                **({} if "sslmode=disable" in query else {"store_ca": self.ca}), **more}
