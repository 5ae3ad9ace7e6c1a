"""The figures of `make bench`, taken from a running agent; run.sh starts it and all it needs.

What is printed as the command of a figure is the very text that is run here, with PID and BENCH in its environment.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

# The budgets; MB are millions of bytes, the stricter reading.
SIZE_BYTES = 3_500_000
RESIDENT_BYTES = 4_000_000
THREADS = 1
CPU_MS_PER_SYNC = 0.6

# Rounds of syncs: together more than a minute, so that memory is looked at in an agent that has settled.
ROUNDS, SYNCS_A_ROUND, WARM_UP_SYNCS = 11, 7, 5
HASH_ROUNDS = 7

COUNT_SYNCS = r"""grep -c '200 "POST /api/v1/syncExecutor ' $BENCH/access.log"""
# The clock of the whole process in ns, that of ended threads included. /proc/PID/schedstat has the same counter for one
# thread only and forgets those that have ended: it misses what every sync does in a short-lived thread.
CPU_OF_PROCESS = """python3 -c 'import os, time; print(time.clock_gettime_ns(~int(os.environ["PID"]) << 3 | 2))'"""
CPU_OF_MAIN_THREAD = "cut -d' ' -f1 /proc/$PID/schedstat"


def main():
    # An end that others ask for is an exception like any other, so that what was started here ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser()
    for flag in ("agent", "pid", "bench", "public-key", "next-version", "download-url"):
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

    size(asked, raw["figures"])
    idle(asked, raw["figures"])
    hashing(asked, raw["figures"])

    raw["machine"]["load_average_after"] = os.getloadavg()[0]
    folder = Path("target/bench") / now.strftime("%Y-%m-%dT%H-%M-%SZ")
    folder.mkdir(parents=True)
    (folder / "figures.json").write_text(json.dumps(raw, indent=2) + "\n")
    for name in ("access.log", "status", "smaps_rollup", "smaps"):
        shutil.copy(Path(asked.bench) / name, folder)
    missed = [name for name, figure in raw["figures"].items() if figure.get("within") is False]
    if missed:
        print(f"MISSED: {', '.join(missed)}")
    else:
        print("every budget is kept")
    print(f"raw numbers: {folder}/figures.json")


def size(asked, figures):
    command = f"stat -c %s {asked.agent}"
    found = int(shell(command))
    row(figures, "size on disk", f"{found:,} bytes", f"≤ {SIZE_BYTES:,}", found <= SIZE_BYTES, [command],
        {"bytes": found})
    # What the budget speaks of: no loader asked for, no symbols left.
    command = f"readelf -lSW {asked.agent} | grep -c -e INTERP -e '\\.symtab' || true"
    found = int(shell(command))
    row(figures, "static and stripped", "no" if found else "yes", "yes", found == 0, [command], {"found": found})


def idle(asked, figures):
    """The agent between two syncs: its processor time, connections, memory and threads."""
    clock_counts()
    started = time.monotonic()
    wait_for_syncs(WARM_UP_SYNCS)
    has_schedstat = os.path.exists(f"/proc/{asked.pid}/schedstat")
    threads, rounds = [], []
    before = snapshot(has_schedstat)
    for done in range(ROUNDS):
        progress(f"round {done + 1} of {ROUNDS}, {SYNCS_A_ROUND} syncs each")
        wait_for_syncs(before["syncs"] + SYNCS_A_ROUND)
        after = snapshot(has_schedstat)
        threads.append(int(shell(command_threads := "awk '/^Threads:/ {print $2}' /proc/$PID/status")))
        rounds.append({key: after[key] - before[key] for key in after})
        before = after
    progress("")
    per_sync = [r["process_ns"] / r["syncs"] / 1e6 for r in rounds]
    cpu_ms = statistics.median(per_sync)
    lines = [f"Δ {CPU_OF_PROCESS}", f"÷ Δ {COUNT_SYNCS}", f"= {spread(per_sync, 'ms', 3)}"]
    if has_schedstat:
        main_thread = [r["main_thread_ns"] / r["syncs"] / 1e6 for r in rounds]
        lines.append(f"of it in the main thread: Δ {CPU_OF_MAIN_THREAD} gives {spread(main_thread, 'ms', 3)}")
    row(figures, "processor time per sync", f"{cpu_ms:.3f} ms", f"≤ {CPU_MS_PER_SYNC} ms", cpu_ms <= CPU_MS_PER_SYNC,
        lines, {"median_ms": cpu_ms, "rounds": rounds})

    connections(figures)

    command = "awk '/^VmRSS:/ {print $2 * 1024}' /proc/$PID/status"
    resident = int(shell(command))
    idle_s = time.monotonic() - started
    row(figures, "resident memory, idle", f"{resident:,} bytes", f"≤ {RESIDENT_BYTES:,}", resident <= RESIDENT_BYTES,
        [f"{command}   (after {idle_s:.0f} s and {before['syncs']} syncs over https)"],
        {"bytes": resident, "after_s": idle_s})
    command = "awk '/^Pss:/ {print $2 * 1024}' /proc/$PID/smaps_rollup"
    share = int(shell(command))
    row(figures, "its proportional share", f"{share:,} bytes", f"≤ {RESIDENT_BYTES:,}", share <= RESIDENT_BYTES,
        [command], {"bytes": share})
    row(figures, "threads, idle", f"{max(threads)}", f"{THREADS}", max(threads) <= THREADS,
        [f"{command_threads}   (most of {len(threads)} looks)"], {"looks": threads})
    for name in ("status", "smaps_rollup", "smaps"):
        shutil.copyfile(f"/proc/{asked.pid}/{name}", Path(asked.bench) / name)


def snapshot(has_schedstat):
    taken = {"syncs": syncs(), "process_ns": int(shell(CPU_OF_PROCESS))}
    if has_schedstat:
        taken["main_thread_ns"] = int(shell(CPU_OF_MAIN_THREAD))
    return taken


def syncs():
    # grep -c ends with 1 where it counts 0.
    return int(shell(COUNT_SYNCS + " || true"))


def wait_for_syncs(wanted):
    # Looked at seldom and without a process each time: whoever measures shall not be what is measured.
    log = Path(os.environ["BENCH"]) / "access.log"
    limit = time.monotonic() + 60
    while (came := log.read_bytes().count(b"\n")) < wanted:
        if time.monotonic() > limit:
            sys.exit(f"bench: the agent must sync once a second, {came} of {wanted} syncs came")
        time.sleep(0.1)
    # The server writes its line before the agent has read the answer; the middle of the interval is quiet.
    time.sleep(0.4)


def clock_counts():
    """Sees to it that the clock of another process counts on this kernel: burns some time and looks from outside."""
    command = CPU_OF_PROCESS.replace('os.environ["PID"]', str(os.getpid()))
    before, mine = int(shell(command)), time.process_time_ns()
    while time.process_time_ns() - mine < 50_000_000:
        pass
    counted = int(shell(command)) - before
    burnt = time.process_time_ns() - mine
    if not 0.8 < counted / burnt < 1.25:
        sys.exit(f"bench: {burnt} ns of processor time must show on the clock of the process, {counted} did")


def connections(figures):
    """What the server saw: the numbers of the connections, and how many requests each had carried."""
    command = "awk '{n[$1] = $2} END {for (c in n) print n[c]}' $BENCH/access.log"
    carried = [int(line) for line in shell(command).splitlines()]
    # As many as it takes when one connection may carry 1,000 requests, the default of nginx.
    wanted = -(-sum(carried) // 1000)
    row(figures, "connections used", f"{len(carried)} for {sum(carried)} requests", f"{wanted}",
        len(carried) <= wanted, [f"{command}   ($connection_requests per $connection)"], {"requests": carried})


def hashing(asked, figures):
    """The agent's own `verify` beside the tools people know; round by round, so that a busy moment hits all alike."""
    size_bytes = os.path.getsize(f"{asked.bench}/artifact")
    mb = size_bytes / 1e6
    # Refused at the very end because of its sum: all bytes went through SHA-256 and prehash, and nothing was swapped.
    upgrade = (f"$BENCH/novacula-agent --config $BENCH/agent.toml upgrade --json --target-version {asked.next_version}"
               f" --size {size_bytes} --sha256 $(printf %064d 0) --signature $BENCH/artifact.minisig"
               f" --download-url {asked.download_url}")
    contenders = {
        "verify": ("$BENCH/novacula-agent verify $BENCH/artifact", 0, "good: "),
        "minisign -V": (f"minisign -V -p {asked.public_key} -m $BENCH/artifact", 0, "verified"),
        "sha256sum": ("sha256sum $BENCH/artifact", 0, f"{asked.bench}/artifact"),
        "upgrade": (upgrade, 4, "sha256_mismatch"),
    }
    taken = {name: [] for name in contenders}
    # The first round only warms the page cache.
    for done in range(HASH_ROUNDS + 1):
        progress(f"hashing, round {done} of {HASH_ROUNDS}")
        for name, (command, code, expected) in contenders.items():
            times = timed(command, code, expected)
            if done > 0:
                taken[name].append(times)
    progress("")
    # The user's part of the processor time: reading, receiving and writing are the kernel's, and a busy machine does
    # not stretch it.
    speed = {name: [mb / user for _, user, _ in times] for name, times in taken.items()}
    wall = {name: [mb / wall for wall, _, _ in times] for name, times in taken.items()}
    both = [mb / (s[1] + m[1]) for s, m in zip(taken["sha256sum"], taken["minisign -V"])]
    labels = {
        "verify": "prehash: agent verify",
        "minisign -V": "prehash: minisign -V",
        "sha256sum": "SHA-256: sha256sum",
        "upgrade": "SHA-256 + prehash: upgrade",
    }
    for name, label in labels.items():
        row(figures, label, f"{statistics.median(speed[name]):,.0f} MB/s", "", None,
            [contenders[name][0], f"{spread(speed[name], 'MB/s', 0)} of user time;"
             f" {statistics.median(wall[name]):,.0f} MB/s by the clock on the wall"],
            {"rounds_wall_user_system_s": taken[name], "bytes": size_bytes})
    ratio(figures, "ratio verify ÷ minisign -V", speed["verify"], speed["minisign -V"])
    ratio(figures, "ratio upgrade ÷ both tools", speed["upgrade"], both)


def timed(command, code, expected):
    """Seconds on the wall, of the user, of the system; the result must be right too."""
    # No proxy, whatever the environment of whoever runs this says.
    environment = {name: os.environ[name] for name in ("PATH", "BENCH")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["sh", "-c", f"exec {command}"], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code or expected not in done.stdout:
        sys.exit(f"bench: `{command}` must end with {code} and say {expected!r}, it ended with {done.returncode}:\n"
                 f"{done.stdout}")
    return wall, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime


def ratio(figures, name, ours, theirs):
    each = [a / b for a, b in zip(ours, theirs)]
    row(figures, name, f"{statistics.median(each):.2f}", "", None, [spread(each, "", 2)], {"rounds": each})


def spread(values, unit, digits):
    unit = f" {unit}" if unit else ""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"median {middle:,.{digits}f}{unit} of {len(values)} rounds ({low:,.{digits}f} to {high:,.{digits}f})"


def row(figures, name, measured, budget, within, lines, raw):
    verdict = {True: "within budget", False: "OVER BUDGET", None: ""}[within]
    print(f"{name:<27} {measured:>20}   {budget:<12} {verdict}".rstrip())
    for line in lines:
        print(f"      {line}")
    figures[name] = {"measured": measured, "budget": budget, "within": within, "how": lines, **raw}
    sys.stdout.flush()


def shell(command):
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: `{command}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def machine():
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average_before": os.getloadavg()[0],
    }


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
