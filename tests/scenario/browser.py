"""The packages that drive a browser: those that the lock names, installed once for a lock. ./dev demo --once calls it as a program, with the build."""
import pathlib
import shutil
import subprocess
import sys

BROWSER = pathlib.Path(__file__).resolve().parent.parent / "browser"


def install(build):
    place = pathlib.Path(build, "browser")
    place.mkdir(exist_ok=True)
    lock = (BROWSER / "package-lock.json").read_bytes()
    stamp = place / "installed.lock"
    if stamp.exists() and stamp.read_bytes() == lock and (place / "node_modules/playwright-core").is_dir():
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(BROWSER / name, place)
    run = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, f"npm ci: {run.stdout}{run.stderr}"
    stamp.write_bytes(lock)


if __name__ == "__main__":
    install(sys.argv[1])
