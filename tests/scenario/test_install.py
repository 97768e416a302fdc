"""The installed layout, the users that processes run as, and what the service manager is told."""
import os
import pwd
import re
import socket
import subprocess

from certs import Authority
from harness import BUILD, PATIENCE, ROOT, Process, free_port, get, wait_for

ROLES = ("worker", "keeper", "dialer", "prober", "scribe", "watcher", "identity", "hasher", "directory")


def uid_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Uid:"))


def test_programs_find_each_other_and_the_rules_where_they_are_installed(world):
    stage = os.path.join(world.dir, "stage")
    r = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    prefix = os.path.join(stage, "usr/local")
    assert sorted(os.listdir(f"{prefix}/bin")) == ["sluis", "sluisd"]
    assert sorted(os.listdir(f"{prefix}/libexec/sluis")) == sorted(f"sluis-{role}" for role in ROLES)
    assert os.path.exists(f"{prefix}/share/sluis/rules/netscaler.yaml")
    for page in ("man1/sluis.1", "man8/sluisd.8", "man5/sluis.yaml.5"):
        assert os.path.exists(f"{prefix}/share/man/{page}")
    port, config, sock = free_port(), os.path.join(world.dir, "site.yaml"), os.path.join(world.dir, "admin.sock")
    with open(config, "w") as f:
        f.write(f"""
workers: 1
state_dir: {world.dir}/state
admin: {{socket: {sock}}}
listeners: {{web: {{address: "127.0.0.1:{port}"}}}}
pools: {{none: {{servers: ["127.0.0.1:9"]}}}}
rules: [netscaler]
""")
    check = subprocess.run([f"{prefix}/bin/sluis", "check", config], capture_output=True, text=True)
    assert check.returncode == 0, check
    # sluis run becomes sluisd, which finds its companions in ../libexec/sluis
    p = Process([f"{prefix}/bin/sluis", "run", config], os.path.join(world.dir, "log"), {"ASAN_OPTIONS": "detect_leaks=0"})
    world.at_end(p.stop)
    wait_for(lambda: p.child.poll() is not None or "config.loaded" in p.log(), "the installed sluisd is up")
    assert p.child.poll() is None, p.log()
    assert get(port, "/vpn/../vpns/").status == 403, "the shipped rules were found"


def test_no_process_that_hears_the_network_is_root(world):
    ca = Authority(world.dir)
    s = world.serve(world.scripted(), detect={"mode": "on"}, gateway={"portal": "work.example.org", "ldap": {"corp": {"servers": ["127.0.0.1:9"], "tls": "off", "base": "dc=example"}}},
                   
                    listener={"tls": {"certificates": [ca.issue("work.example.org")]}})
    for role in ROLES:
        assert s.pids(role), role
        for pid in s.pids(role):
            assert uid_of(pid) == (pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()), role
    users = re.findall(r"child.started .*?user=(\w+)", s.log())
    assert len(users) >= 4 and "root" not in users and "0" not in users, s.log()


def run(world, address, **kw):
    backend = world.scripted()
    return world.run({"listeners": {"web": {"address": address}}, "pools": {"web": {"servers": [backend.address]}},
                      "routes": [{"pool": "web"}]}, wait=False, **kw)


def test_the_service_manager_is_told(world):
    path = os.path.join(world.dir, "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(PATIENCE)
    s = run(world, f"127.0.0.1:{free_port()}", env={"NOTIFY_SOCKET": path})
    assert manager.recv(4096) == b"READY=1\nSTATUS=generation 1 is in use"
    assert get(s.port()).status == 200, "ready means: it serves"
    try:
        with open(f"/proc/{s.pids('worker')[0]}/environ", "rb") as f:
            assert b"NOTIFY_SOCKET" not in f.read()
    except PermissionError:  # not even its own user may look into a process that is confined
        assert os.getuid() != 0
    s.reload()
    assert b"generation 2" in manager.recv(4096)
    s.stop()
    assert manager.recv(4096).startswith(b"STOPPING=1")
    manager.close()


def test_a_start_that_fails_is_never_ready(world):
    path = os.path.join(world.dir, "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    taken = socket.create_server(("127.0.0.1", 0))
    s = run(world, f"127.0.0.1:{taken.getsockname()[1]}", env={"NOTIFY_SOCKET": path})
    assert s.process.child.wait(PATIENCE) == 1
    assert "cannot listen" in s.log()
    manager.setblocking(False)
    try:
        assert b"READY" not in manager.recv(4096)
    except BlockingIOError:
        pass
    manager.close()
    taken.close()
