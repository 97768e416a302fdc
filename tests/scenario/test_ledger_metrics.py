"""What /metrics says of the ledger: that it moves with what is written, and that a full disk and lost records show."""
import glob
import os
import subprocess
import time

from harness import Client, get, wait_for
from test_ledger import folder, rows, serve, verify


def metrics(s):
    text = get(s.admin_port, "/metrics", host="localhost").body.decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("sluis_ledger_")}


def test_they_move_with_what_is_written(world):
    s, _ = serve(world)
    before = wait_for(lambda: (m := metrics(s))["sluis_ledger_up"] == 1 and m, "a ledger that is written")
    assert before['sluis_ledger_info{mode="counted"}'] == 1 and before["sluis_ledger_records_lost_total"] == 0
    began = time.time()
    for _ in range(5):
        assert get(s.port(), "/").status == 200
    wait_for(lambda: len(rows(s, "SELECT 1 FROM record WHERE kind='use' AND state IN ('whole', 'close')")) == 5, "the records")

    def is_told():
        """Both are read until nothing was written between."""
        m, (in_files, batch, at) = metrics(s), rows(s, "SELECT count(*), max(batch), max(at) FROM record")[0]
        return m if (m["sluis_ledger_records_total"], m["sluis_ledger_batches_total"]) == (in_files, batch) else None
    after = wait_for(is_told, "the numbers of the files")
    assert after["sluis_ledger_records_total"] >= before["sluis_ledger_records_total"] + 5
    assert after["sluis_ledger_batches_total"] > before["sluis_ledger_batches_total"]
    assert began < after["sluis_ledger_last_batch_timestamp_seconds"] < time.time() + 1
    size = sum(os.path.getsize(f) for f in glob.glob(folder(s) + "/*.ledger") + glob.glob(folder(s) + "/*-wal"))
    assert 0 < after["sluis_ledger_size_bytes"] <= size
    assert 0 <= after["sluis_ledger_ring_used_ratio"] < 0.1
    assert s.process.stop() == 0
    assert verify(s)["ok"]


def test_without_a_ledger_there_is_its_mode_alone(world):
    s = world.serve(world.nginx("one"), ledger={"mode": "off"})
    assert metrics(s) == {'sluis_ledger_info{mode="off"}': 1}


def test_a_full_disk_and_what_was_lost_show(world):
    state = os.path.join(world.dir, "state")
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", state], check=True)
    try:
        block = [{"name": "long-name-of-a-policy-" + "x" * 100, "if": 'http.path contains "/vpns/"', "then": [{"block": 403}]}]
        s, _ = serve(world, state_dir=state, policies=block, workers=1)
        assert metrics(s)["sluis_ledger_up"] == 1
        filler = os.path.join(state, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * (1 << 16))
            except OSError:
                pass

        request = "GET /vpns/" + "x" * 300 + " HTTP/1.1\r\nHost: " + "a" * 60 + "\r\n\r\n"

        def send():
            with Client(s.port()) as c:
                for _ in range(4):
                    c.send(request * 50)
                    for _ in range(50):
                        assert c.response().status == 403
            return metrics(s)
        wait_for(lambda: send()["sluis_ledger_up"] == 0, "the ledger fails")
        wait_for(lambda: send()["sluis_ledger_ring_used_ratio"] > 0.995, "a full ring")
        assert send()["sluis_ledger_up"] == 0 and "disk is full" in s.log()
        os.unlink(filler)
        wait_for(lambda: metrics(s)["sluis_ledger_up"] == 1, "it is written again")
        told = wait_for(lambda: (m := metrics(s))["sluis_ledger_records_lost_total"] > 0 and m["sluis_ledger_ring_used_ratio"] < 0.5 and m, "what was lost")
        assert s.process.stop() == 0
        report = verify(s)
        assert report["ok"] and report["lost"] == told["sluis_ledger_records_lost_total"] > 0
    finally:
        for one in list(world.sluis):
            one.process.stop()
        subprocess.run(["umount", state], check=True)
