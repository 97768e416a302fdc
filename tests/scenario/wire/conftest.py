import pytest

import wire


@pytest.fixture
def start(tmp_path):
    """start(yaml, workers=1) gives a running Sluis; at the end it must stop cleanly, without a sanitizer's word."""
    running = []

    def run(yaml, workers=1):
        running.append(wire.Sluis(tmp_path, yaml, workers))
        return running[-1]

    yield run
    for sluis in running:
        assert sluis.stop() == 0, sluis.errors()


@pytest.fixture
def backend():
    made = []

    def make(reply):
        made.append(wire.Backend(reply))
        return made[-1]

    yield make
    for b in made:
        b.close()


@pytest.fixture
def one(start, backend):
    """Sluis before one scripted backend: one(reply, more_yaml='', pool='')."""
    def make(reply, more="", pool="", workers=1):
        b = backend(reply)
        s = start(f"listeners: {{web: {{address: '127.0.0.1:@PORT@'}}}}\n"
                  f"pools: {{app: {{servers: ['127.0.0.1:{b.port}']{pool}}}}}\n{more}", workers)
        b.seen.clear()
        return s, b
    return make
