"""`make bench-scale`: how far one control plane goes, and two. Each part compares in turns on the same processors, on
loopback, with a real nginx and a real PostgreSQL; only ratios of one run mean anything elsewhere.

    a  syncs a second and their p99, beside nginx          e  start with 100,000 executors
    b  the same, 10 % of the executors in an upgrade       f  from a request to the swap, with and without a long poll
    c  every sync has something to keep                    g  1,000 to 1,000,000 executors
    d  memory an executor                                  h  two replicas, one killed in the middle
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from scaling import latency, rate, replicas, size
from scaling.bench import Bench
from scaling.programs import end_all
from scaling.scheduling import by_thread

PARTS = {"a": rate.idle, "b": rate.in_upgrade, "c": rate.durable, "d": size.memory, "e": size.start,
         "f": latency.latency, "g": size.curve,
         "h": replicas.replicas}


def main():
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # An end that others ask for is an exception like any other, so that what was started here ends too.
        signal.signal(each, lambda number, _: sys.exit(128 + number))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control-plane", required=True, help="the release build")
    parser.add_argument("--load", required=True, help="the load, a release build too")
    parser.add_argument("--bench-parts", help="what else of the laboratory part f takes")
    parser.add_argument("--secret-key", help="with which part f signs releases")
    parser.add_argument("--version", help="of the agent")
    parser.add_argument("--parts", default="".join(PARTS), help="letters, such as ac")
    parser.add_argument("--engines", default="sqlite,postgres")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of one run")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--most", type=int, default=1_000_000, help="executors in part g")
    parser.add_argument("--long-run", type=float, default=600, help="seconds of part h")
    asked = parser.parse_args()
    # One descriptor a connection, for the load and for what it talks to.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        sys.exit(f"bench: the parts are {''.join(PARTS)}, not {''.join(sorted(unknown))}")

    now = datetime.now(timezone.utc)
    raw = {"date": now.isoformat(timespec="seconds"), "asked": vars(asked), "machine": machine()}
    print(f"machine: {raw['machine']['cpu']}, {raw['machine']['cores']} cores, {raw['machine']['memoryMb']:,} MB,"
          f" Linux {raw['machine']['kernel']}")
    print(f"date:    {raw['date']}, load average {os.getloadavg()[0]:.1f} (others slow the figures down; ratios less)\n")
    # On a disk, which the folder for temporary files need not be.
    folder = tempfile.mkdtemp(prefix="novacula-bench-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    bench = Bench(asked, folder)
    try:
        with by_thread() as sharers:
            raw["machine"]["processorsSharedBy"] = sharers
            for letter in asked.parts:
                bench.part = letter
                PARTS[letter](bench)
                bench.forget_seeds()
    finally:
        end_all()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(Path("/dev/shm") / Path(folder).name, ignore_errors=True)
        raw["machine"]["loadAverageAfter"] = os.getloadavg()[0]
        kept = Path("target/bench") / now.strftime("%Y-%m-%dT%H-%M-%SZ")
        kept.mkdir(parents=True, exist_ok=True)
        raw.update(figures=bench.figures, runs=bench.runs)
        (kept / "scale.json").write_text(json.dumps(raw, indent=1) + "\n")
        print(f"raw numbers: {kept}/scale.json")
    missed = [name for name, figure in bench.figures.items() if figure.get("within") is False]
    open_still = [name for name, figure in bench.figures.items() if figure["budget"] and figure.get("within") is None]
    if open_still:
        print(f"NOT JUDGED: {', '.join(open_still)}")
    if missed:
        print(f"MISSED: {', '.join(missed)}")
    elif not open_still:
        print("every budget is kept")


def machine():
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {"cpu": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "memoryMb": int(memory.group(1)) // 1024, "kernel": platform.release(),
            "loadAverageBefore": os.getloadavg()[0]}


if __name__ == "__main__":
    main()
