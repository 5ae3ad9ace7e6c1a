"""The figures of `make bench`, taken from a running agent; run.sh starts it and all it needs.

What is printed as the command of a figure is the very text that is run here, with PID, HOST and
BENCH in its environment.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path

import console
import download
import hashing
import idle
import restart
from figures import shell

FLAGS = (
    "bench", "agent", "pid", "control-plane",
    # What people have: the control plane, the keys, the releases; the artifact prints the next version, not
    # the unlike one.
    "origin", "token", "target", "secret-key", "public-key", "download-url",
    "version", "next-version", "next-agent", "bad-version", "bad-release", "unlike-version",
    # What the laboratory has: hosts, a bare service, and where on loopback those find the server.
    "parts", "bare", "host-url", "bare-address",
)


def main():
    # An end that others ask for is an exception like any other, so that what was started here ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser()
    for flag in FLAGS:
        parser.add_argument(f"--{flag}", required=True)
    asked = parser.parse_args()
    os.environ.update(PID=asked.pid, BENCH=asked.bench)

    now = datetime.now(timezone.utc)
    raw = {"date": now.isoformat(timespec="seconds"), "machine": machine(), "figures": {}}
    print(f"machine: {raw['machine']['cpu']}, {raw['machine']['cores']} cores, Linux {raw['machine']['kernel']}")
    load = raw["machine"]["load_average_before"]
    print(f"date:    {raw['date']}, load average {load:.1f} (others slow the figures down)")
    print(f"agent:   {shell(asked.agent + ' --version')}, a process of its own; PID is its number, BENCH its folder")
    print("budgets: 1 MB = 1,000,000 bytes\n")

    figures = raw["figures"]
    idle.size(asked, figures)
    idle.idle(asked, figures)
    hashing.hashing(asked, figures)
    download.download(asked, figures)
    download.memory(asked, figures)
    restart.restart(asked, figures)
    console.console(asked, figures)

    raw["machine"]["load_average_after"] = os.getloadavg()[0]
    folder = Path("target/bench") / now.strftime("%Y-%m-%dT%H-%M-%SZ")
    folder.mkdir(parents=True)
    (folder / "figures.json").write_text(json.dumps(raw, indent=2) + "\n")
    for name in ("access.log", "host.log", "status", "smaps_rollup", "smaps"):
        shutil.copy(Path(asked.bench) / name, folder)
    missed = [name for name, figure in raw["figures"].items() if figure.get("within") is False]
    if missed:
        print(f"MISSED: {', '.join(missed)}")
    else:
        print("every budget is kept")
    print(f"raw numbers: {folder}/figures.json")


def machine():
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average_before": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
