"""The shipped rules, on by one line: a probe for CVE-2019-19781 is refused and leaves a line that says so."""
import pytest

from harness import get

PROBES = ["/vpn/../vpns/cfg/smb.conf", "/vpn/%2e%2e/vpns/portal/scripts/newbm.pl", "/vpns/portal/scripts/newbm.pl"]


@pytest.mark.parametrize("probe", PROBES)
def test_probe_is_refused_and_logged(world, probe):
    backend = world.scripted()
    s = world.serve(backend, rules=["netscaler"])
    r = get(s.port(), probe)
    assert r.status == 403 and backend.heads == []
    line = s.access_line(url__original=probe)
    assert line["http.response.status_code"] == 403 and line["rule.ruleset"] == "netscaler"
    assert line["rule.name"].startswith("cve-2019-19781")
    assert get(s.port(), "/vpn/index.html").status == 200


def test_without_the_line_only_the_canonical_path_passes(world):
    s = world.serve(world.scripted())
    assert get(s.port(), "/vpn/../vpns/cfg/smb.conf").json()["target"] == "/vpns/cfg/smb.conf"
