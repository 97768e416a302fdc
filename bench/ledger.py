"""What the ledger costs: nanoseconds of a worker per connection, records per second of the scribe's one core, and the window's
answers from that day's file. Targets: 1 microsecond, 100,000 records, 100 milliseconds."""
import argparse
import json
import os
import subprocess
import tempfile

p = argparse.ArgumentParser()
p.add_argument("--build", required=True)
p.add_argument("--connections", type=int, default=1000000, help="each is four records; 10000000 is the figure in docs/benchmarks.md")
p.add_argument("--rounds", type=int, default=1)
a = p.parse_args()
for _ in range(a.rounds):
    with tempfile.TemporaryDirectory(prefix="sluis-bench-") as folder:
        out = subprocess.run([os.path.join(a.build, "bench/bench_ledger"), folder, str(a.connections)], check=True, capture_output=True, text=True).stdout
        r = json.loads(out)
        size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
        print(f"{a.connections} connections, {r['records']} records, {r['rows']} rows, {size / 1e6:.0f} MB")
        print(f"  worker: {r['ring_ns_per_connection']:.0f} ns per connection (at most 1000)")
        print(f"  scribe: {r['records_per_cpu_s']:.0f} records per second of one core (at least 100000), {r['rows_per_cpu_s']:.0f} rows; "
              f"{r['memory_mb']} MB")
        for name in ("busiest_client", "some_client", "busiest_target", "some_target"):
            print(f"  window, {name.replace('_', ' ')}: {r[name + '_ms']:.2f} ms for {r[name + '_connections']} connections (at most 100 ms)")
