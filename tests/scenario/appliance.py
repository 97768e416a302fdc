"""A NetScaler that nobody owns, made for tests, the demo and docs/respond.md: its logs and files, a technical support bundle of them,
and the inventory of a provider that runs it. As a program: appliance.py FOLDER writes these files, attacked as in January 2020."""
import os
import sys
import tarfile
import tempfile

QUIET = '198.51.100.{n} - - [{day:02d}/Jan/2020:10:{m:02d}:{s:02d} +0000] "GET /vpn/index.html HTTP/1.1" 200 143 "-" "Mozilla/5.0"'


def quiet(days=range(8, 22), per_day=20):
    return [QUIET.format(n=i % 250, day=d, m=i % 60, s=d) for d in days for i in range(per_day)]


def hit(path="/vpn/../vpns/portal/abc.xml", status=200, client="203.0.113.7", method="GET", at="21/Jan/2020:11:00:05", agent="curl/7.58.0", version="1.1"):
    return f'{client} - - [{at} +0000] "{method} {path} HTTP/{version}" {status} 941 "-" "{agent}"'


def put(root, path, content, mtime=1579600000, mode=0o444):
    full = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(full), exist_ok=True)
    data = content if isinstance(content, bytes) else ("\n".join(content) + "\n" if isinstance(content, list) else content).encode("latin-1")
    if os.path.exists(full):
        os.unlink(full)
    with open(full, "wb") as f:
        f.write(data)
    os.chmod(full, mode)
    os.utime(full, (mtime, mtime))
    return full


def clean(root):
    """A disk on which nothing happened."""
    put(root, "/var/log/httpaccess.log", quiet())
    put(root, "/var/log/httperror.log", "[Thu Jan 09 12:34:56 2020] [error] [client 198.51.100.3] File does not exist: /netscaler/ns_gui/favicon.ico\n")
    put(root, "/var/log/bash.log", 'Jan 10 03:04:05 <local7.notice> ns bash[4242]: nsroot on /dev/pts/0 shell_command="ls"\n')
    put(root, "/var/log/cron", "Jan 10 03:05:00 <cron.info> ns cron[99]: (root) CMD (newsyslog)\n")
    put(root, "/nsconfig/ns.conf", "#NS12.1 Build 51.19\nset ns hostName gw1\n")
    put(root, "/nsconfig/rc.netscaler", "nsapimgr_wr.sh -ys skip_systemaccess_policyeval=0\n")
    put(root, "/etc/httpd.conf", "php_flag engine off\nRequire all denied\n")
    put(root, "/netscaler/portal/scripts/newbm.pl", "#!/usr/bin/perl\n", mode=0o555)
    put(root, "/netscaler/portal/templates/bm_prefix_a.xml", "<bookmark/>")
    put(root, "/var/vpn/themes/Default/css/base.css", "a{}")
    return root


def tar_of(root, out, mode="w:gz", prefix="collector_P_192.0.2.1_20Jan2020/"):
    with tarfile.open(out, mode) as t:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                full = os.path.join(folder, name)
                t.add(full, prefix + os.path.relpath(full, root), recursive=False)
    return out


# A Gateway with the mitigation, but without its line in rc.netscaler.
NS_CONF = r"""#NS13.0 Build 47.22
set ns config -IPAddress 192.0.2.10 -netmask 255.255.255.0
set ns hostName gw1
add server portal 10.20.0.11
add service svc_portal portal SSL 443
add vpn vserver vs_gw SSL 192.0.2.11 443
add authentication ldapAction ldap_zuid -serverIP 10.20.0.5 -ldapBindDn "cn=bind,dc=zuid,dc=example" -ldapBindDnPassword 5f1c -encrypted
add responder action respondwith403 respondwith "\"HTTP/1.1 403 Forbidden\r\n\r\n\""
add responder policy ctx267027 "HTTP.REQ.URL.DECODE_USING_TEXT_MODE.CONTAINS(\"/vpns/\") && (!CLIENT.SSLVPN.IS_SSLVPN || HTTP.REQ.URL.DECODE_USING_TEXT_MODE.CONTAINS(\"/../\"))" respondwith403
bind responder global ctx267027 1 END -type REQ_OVERRIDE
add ssl certKey wildcard_zuid -cert wildcard_zuid.pem -key wildcard_zuid.key
add system user beheer 9a3b -encrypted
"""

INVENTORY = """customers:
  - {name: Ziekenhuis Zuid, contact: ict@zuid.example, language: nl}
  - {name: North Clinic, contact: it@north.example, language: en}
appliances:
  - name: gw1
    customer: Ziekenhuis Zuid
    product: netscaler
    edition: standard
    build: 13.0-47.22
    addresses: [192.0.2.10]
    roles: [gateway, aaa]
    exposed_since: 2018-03-01
    mitigations: [{advisory: CVE-2019-19781, on: 2020-01-14}]
    certificates: [{name: "*.zuid.example", wildcard: true, also_on: [mail, intranet]}]
    users: 2500
    sessions: 400
  - name: gw2
    customer: North Clinic
    product: netscaler
    edition: standard
    build: 12.1-51.19
    addresses: [198.51.100.20]
    roles: [gateway]
    exposed_since: 2019-06-01
    mitigations: [{advisory: CVE-2019-19781, on: 2020-01-06, verified: CTX269180 tool}]
    certificates: [{name: gw.north.example}]
"""

CONN = ("Jan {day:2d} {h:02d}:10:00 <local0.info> 192.0.2.10 01/{day:02d}/2020:{h:02d}:10:00 GMT gw1 0-PPE-0 : default TCP CONN_DELINK {n} 0 :  "
        "Source {client}:{port} - Vserver 192.0.2.11:443 - NatIP 192.0.2.12:{port} - Destination {target} - "
        "Delink Time 01/{day:02d}/2020:{h:02d}:10:00 GMT - Total_bytes_send {sent} - Total_bytes_recv {received}")


def ns_log():
    """People who work at the portal, and somebody who reached more than that."""
    lines = []
    for day in range(8, 22):
        for h, client in ((8, "198.51.100.3"), (9, "198.51.100.4"), (13, "198.51.100.5")):
            lines.append((day, h, client, "10.20.0.11:443", 2100, 48000))
    lines += [(11, 11, "203.0.113.7", "10.20.0.11:443", 900, 1800), (11, 12, "203.0.113.7", "10.20.0.5:636", 5200, 910000),
              (12, 3, "203.0.113.7", "10.20.0.23:445", 88000, 61000000)]
    return [CONN.format(day=d, h=h, n=1000 + i, client=c, port=20000 + i, target=t, sent=s, received=r)
            for i, (d, h, c, t, s, r) in enumerate(sorted(lines))]


def attacked(root):
    """The same disk after 11 January 2020: two requests, a template, a back door and its crontab."""
    clean(root)
    log = quiet()
    log[80:80] = [hit("/vpn/../vpns/portal/scripts/newbm.pl", method="POST", at="11/Jan/2020:11:00:02"), hit(at="11/Jan/2020:11:00:05")]
    log.append(hit("/vpn/../vpns/cfg/smb.conf", 403, "203.0.113.99", at="21/Jan/2020:23:50:00", agent="python-requests/2.22.0"))
    put(root, "/var/log/httpaccess.log", log)
    put(root, "/var/log/ns.log", ns_log())
    put(root, "/var/log/cron", "Jan 11 11:02:00 <cron.info> ns cron[99]: (nobody) CMD (/var/nstmp/.nscache/httpd)\n")
    put(root, "/netscaler/portal/templates/abc.xml", "<bookmark/>", mtime=1578740405, mode=0o644)
    put(root, "/var/nstmp/.nscache/httpd", "\x7fELF", mtime=1578740410, mode=0o755)
    put(root, "/nsconfig/ns.conf", NS_CONF)
    put(root, "/nsconfig/rc.netscaler", "# nothing here\n")
    put(root, "/flash/.version", "13.0-47.22\n")
    return root


def prepare(folder):
    """gw1.tar.gz, logs/ (what stands in the bundle's /var/log), gw2-ns.conf and inventory.yaml in the folder."""
    with tempfile.TemporaryDirectory() as root:
        attacked(root)
        tar_of(root, os.path.join(folder, "gw1.tar.gz"), prefix="collector_P_192.0.2.10_21Jan2020/")
        put(folder, "logs/ns.log", ns_log())
    put(folder, "gw2-ns.conf", NS_CONF.replace("13.0 Build 47.22", "12.1 Build 51.19").replace("gw1", "gw2").replace("192.0.2.1", "198.51.100.2"), mode=0o644)
    put(folder, "inventory.yaml", INVENTORY, mode=0o644)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: appliance.py FOLDER")
    os.makedirs(sys.argv[1], exist_ok=True)
    prepare(sys.argv[1])
