"""What the agent is and costs while nothing happens: size, processor time, connections, memory, threads."""

import os
import shutil
import statistics
import sys
import time
from pathlib import Path

from figures import progress, row, shell, spread

# The budgets; MB are millions of bytes, the stricter reading.
SIZE_BYTES = 3_500_000
RESIDENT_BYTES = 4_000_000
THREADS = 1
CPU_MS_PER_SYNC = 0.6

# Rounds of syncs: together more than a minute, so that memory is looked at in an agent that has settled.
ROUNDS, SYNCS_A_ROUND, WARM_UP_SYNCS = 11, 7, 5

COUNT_SYNCS = r"""grep -c '200 "POST /api/v1/syncExecutor ' $BENCH/access.log"""
# The clock of the whole process in ns, that of ended threads included. /proc/PID/schedstat has the same counter for one
# thread only and forgets those that have ended: it misses what every sync does in a short-lived thread.
CPU_OF_PROCESS = """python3 -c 'import os, time; print(time.clock_gettime_ns(~int(os.environ["PID"]) << 3 | 2))'"""
CPU_OF_MAIN_THREAD = "cut -d' ' -f1 /proc/$PID/schedstat"


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
