"""Every scenario gets a world of its own; when it fails, the logs of its Sluis are shown and kept."""
import os

import pytest

from harness import World, with_names

# Of programs that end at once: looking for leaks is the unit tests' and the fuzzers', and names are put in by with_names.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:symbolize=0")

# Files that take minutes: where two run side by side, one of them begun last would keep the other processor waiting.
LONGEST = ["test_isolate", "test_kills", "test_nodes", "test_monitor", "test_detect", "test_gateway_security", "test_verify_self", "test_identity_processes",
           "test_ledger", "test_ldap"]


def pytest_collection_modifyitems(items):
    order = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "report_" + report.when, report)
    world = getattr(item, "funcargs", {}).get("world")
    if report.failed and world:
        for s in world.sluis:
            report.sections.append((f"log of sluisd {s.n} (kept in {world.dir})", with_names(s.log()[-8000:])))


@pytest.fixture
def world(request):
    w = World()
    yield w
    report = getattr(request.node, "report_call", None)
    w.close(keep=report is None or report.failed)
