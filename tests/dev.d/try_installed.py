"""Inside a fresh Debian with the package installed: does all that it promises hold? Its caller is ./dev package --try."""
import glob
import json
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.request

failed = 0


def check(what, held):
    global failed
    print(f"  {'ok  ' if held else 'FAIL'}  {what}", flush=True)
    failed += not held


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return None


def get(path, port=8080):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except OSError:
        return None, b""


def uid_user(pid):
    with open(f"/proc/{pid}/status") as f:
        return pwd.getpwuid(int(re.search(r"^Uid:\s+(\d+)", f.read(), re.M).group(1))).pw_name


for role in ("worker", "keeper", "dialer", "prober", "scribe", "watcher", "identity", "hasher", "directory", "monitor"):
    entry = pwd.getpwnam(f"sluis-{role}")
    check(f"sluis-{role} is a system user without a shell and a home",
          entry.pw_uid < 1000 and entry.pw_shell.endswith("nologin") and entry.pw_dir == "/")
r = run("sluis", "check", "/etc/sluis/sluis.yaml")
check("the configuration that comes along is valid: " + r.stdout.strip(), r.returncode == 0)
check("logs are for administrators only", stat.S_IMODE(os.stat("/var/log/sluis").st_mode) == 0o750)
for page in ("man1/sluis.1.gz", "man8/sluisd.8.gz", "man5/sluis.yaml.5.gz"):
    check(f"the manual page {page}", os.path.exists(f"/usr/share/man/{page}"))
for unit in ("sluis.service", "sluis-monitor.service"):
    r = run("systemd-analyze", "verify", f"/lib/systemd/system/{unit}")
    complaints = [line for line in r.stderr.splitlines() if unit in line and "Command 'man" not in line]
    check(f"systemd knows every word of {unit} " + "; ".join(complaints), not complaints)
check("whoever wants the monitor enables it", not glob.glob("/etc/systemd/system/*.wants/sluis-monitor.service"))
groups = run("systemd-analyze", "syscall-filter", "@system-service").stdout
check("systemd knows the groups of system calls that it names", "@setuid" in groups and "@process" in groups)

daemon = subprocess.Popen(["/usr/bin/sluisd", "-c", "/etc/sluis/sluis.yaml"], stdout=open("/root/error.log", "w"), stderr=subprocess.STDOUT)
wait_for(lambda: daemon.poll() is not None or "config.loaded" in open("/root/error.log").read())
status, body = get("/")
check("the explanatory page is served", status == 200 and b"It works." in body)
check("a probe for CVE-2019-19781 is refused", get("/vpn/%2e%2e/vpns/cfg/smb.conf")[0] == 403)
status, body = get("/other")
check("no server behind it is told as 502 or 503 by a page without the product's name", status in (502, 503) and b"luis" not in body)
check("metrics", get("/metrics", 9180)[0] == 200)
r = run("sluis", "status", "--json")
check("sluis status " + r.stderr.strip(), r.returncode == 0)
facts = json.loads(r.stdout) if r.returncode == 0 else {"processes": []}
for p in facts["processes"]:
    check(f"sluis-{p['role']} runs as its own user", uid_user(p["pid"]) == f"sluis-{p['role']}")
r = run("sluis", "verify-self")
check("what is installed and runs is what was released:\n" + r.stdout + r.stderr, r.returncode == 0)
check("all five kinds of process run without detect: and gateway:", {p["role"] for p in facts["processes"]} == {"worker", "keeper", "dialer", "prober", "scribe"})
with open("/etc/sluis/sluis.yaml", "a") as f:
    f.write("detect: {mode: on}\n")
r = run("sluis", "reload")
check("sluis reload: " + r.stdout.strip() + r.stderr.strip(), r.returncode == 0)
ALERTS = "/var/lib/sluis/alerts.jsonl"
get("/vpn/%2e%2e/vpns/cfg/smb.conf")
check("the probe makes an alert", wait_for(lambda: os.path.exists(ALERTS) and "cve-2019-19781" in open(ALERTS).read()))
check("the group of sluis monitor may read it", os.stat(ALERTS).st_gid == pwd.getpwnam("sluis-monitor").pw_gid and
      stat.S_IMODE(os.stat(ALERTS).st_mode) & 0o047 == 0o040)
facts = json.loads(run("sluis", "status", "--json").stdout)
for p in facts["processes"]:
    check(f"sluis-{p['role']} runs as its own user", uid_user(p["pid"]) == f"sluis-{p['role']}")
check("sluis-watcher runs", "watcher" in {p["role"] for p in facts["processes"]})
r = run("logrotate", "--force", "--state", "/root/rotate.state", "/etc/logrotate.d/sluis")
check("logrotate rotates " + r.stderr.strip(), r.returncode == 0 and os.path.exists("/var/log/sluis/access.log.1"))
get("/after")
check("and lines go on in the new file", wait_for(lambda: "/after" in open("/var/log/sluis/access.log").read()))
check("alerts are rotated", os.path.exists(ALERTS + ".1"))
get("/vpn/%2e%2e/vpns/cfg/smb.conf?again")
check("the log is not readable to everybody", stat.S_IMODE(os.stat("/var/log/sluis/access.log").st_mode) & 0o007 == 0)
daemon.send_signal(signal.SIGTERM)
check("it ends when it is told to", daemon.wait(30) == 0)
left = [p for p in glob.glob("/proc/[0-9]*/status") if re.match(r"Name:\tsluis(?s:.*)\nState:\t[^Z]", open(p).read())]  # nobody here buries the dead
check(f"and none of its processes is left {left}", not left)
if failed:
    print(open("/root/error.log").read())
sys.exit(1 if failed else 0)
