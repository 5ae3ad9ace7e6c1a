"""(d), (e), (g): what a fleet costs while it does nothing, how soon it is known again after a start, and how both grow."""

import statistics
import threading
import time

from figures import progress, spread

from .bench import Subject, in_turns

# The budgets.
BYTES, READY_S, GROWTH = 600, 5.0, 1.3

MEMORY, START = (10_000, 100_000), 100_000
# So few are the base: what a program holds that works, whoever it works for.
FEW, SYNCS = 200, 100_000
CONNECTIONS, POLL_S = (6_000, 18_000), 5
CURVE = (1_000, 10_000, 100_000, 300_000, 1_000_000)
MEMORY_ROUNDS, START_ROUNDS = 3, 3
# Presence is written every few seconds: what that takes belongs to it.
SETTLE_S = 12


def memory(bench):
    """(d) Resident memory an executor, over what it is with none."""
    found = {count: [] for count in (FEW, *MEMORY)}
    for number in range(MEMORY_ROUNDS):
        for count in found:
            progress(f"({bench.part}) memory of {count:,} executors, round {number + 1} of {MEMORY_ROUNDS}")
            server = bench.control_plane("sqlite", count)
            greeted(bench, server, count)
            found[count].append(server.resident_bytes())
            bench.done_with(server)
    progress("")
    base = statistics.median(found[FEW])
    for count in MEMORY:
        each = [(resident - base) / (count - FEW) for resident in found[count]]
        middle = statistics.median(each)
        bench.row(f"memory an executor, {count:,}", f"{middle:,.0f} bytes", f"≤ {BYTES} bytes", middle <= BYTES,
                  [spread(each, "bytes", 0), f"VmRSS {statistics.median(found[count]):,.0f}, with {FEW} executors {base:,.0f} bytes; each after"
                   f" {SYNCS:,} syncs"], {"residentBytes": found[count], "baseBytes": found[FEW]})
    connections(bench)


def connections(bench):
    """Not the fleet but its connections: who polls every few seconds keeps one open."""
    server, seen, asked = bench.control_plane("sqlite", CONNECTIONS[1] * 2), [], bench.asked.connections
    greeted(bench, server, CONNECTIONS[1] * 2)
    for count in CONNECTIONS:
        progress(f"({bench.part}) {count:,} connections")
        looker = threading.Timer(SETTLE_S - 2, lambda: seen.append(server.resident_bytes()))
        looker.start()
        bench.asked.connections = count
        run = bench.good(bench.load("connections", [server], CONNECTIONS[1] * 2, seconds=SETTLE_S, rate=count / POLL_S))
        looker.join()
    bench.asked.connections = asked
    progress("")
    # What was free inside before is used first: the difference of two says more.
    each = (seen[1] - seen[0]) / (CONNECTIONS[1] - CONNECTIONS[0])
    bench.row("memory a connection", f"{each:,.0f} bytes", "", None,
              [f"from {CONNECTIONS[0]:,} to {CONNECTIONS[1]:,} connections, each a sync every {POLL_S} s, plain HTTP;"
               f" p99 {run['p99Ms']:.1f} ms"], {"residentBytes": seen, "run": run})
    bench.done_with(server)


def greeted(bench, server, count):
    """Every executor has synced, and all have been answered as often as in any other run of this part."""
    bench.greet(server, count)
    bench.good(bench.load("warm", [server], count, requests=max(SYNCS - count, bench.asked.connections)))
    time.sleep(SETTLE_S)


def start(bench):
    """(e) From the start of the program until it says that it is ready."""
    taken = {engine: [] for engine in bench.engines()}
    for number in range(START_ROUNDS):
        for engine in taken:
            progress(f"({bench.part}) start on {engine}, round {number + 1} of {START_ROUNDS}")
            server = bench.control_plane(engine, START)
            taken[engine].append(server.ready_after_s)
            bench.done_with(server)
    progress("")
    for engine, each in taken.items():
        middle = statistics.median(each)
        bench.row(f"start with {START:,}, {engine}", f"{middle:.2f} s", f"< {READY_S:.0f} s", middle < READY_S,
                  [spread(each, "s", 2), "until GET /readyz answers 200"], {"roundsS": each})


def curve(bench):
    """(g) Memory and processor time a sync, from a thousand executors to a million."""
    counts = [count for count in CURVE if count <= bench.asked.most]
    base = bench.control_plane("sqlite", FEW)
    greeted(bench, base, FEW)
    base_bytes = base.resident_bytes()
    bench.done_with(base)
    subjects, ready = [], {}
    for count in counts:
        server = bench.control_plane("sqlite", count)
        bench.forget_seeds()
        ready[count] = server.ready_after_s
        progress(f"({bench.part}) {count:,} executors sync for the first time")
        bench.greet(server, count)
        time.sleep(SETTLE_S)
        server.rest()
        subjects.append(Subject(f"{count:,}", server, count))
    memory_of = {subject.executors: subject.server.resident_bytes() for subject in subjects}
    in_turns(bench, subjects, bench.asked.rounds, "cost", seconds=bench.asked.seconds)
    first = subjects[0]
    for subject in subjects:
        count = subject.executors
        us, rates = [run["serverUsPerSync"] for run in subject.runs], [run["rate"] for run in subject.runs]
        bytes_each = (memory_of[count] - base_bytes) / count
        growth = [mine / theirs["serverUsPerSync"] for mine, theirs in zip(us, first.runs)]
        middle = statistics.median(growth)
        bench.row(f"cost, {count:,} executors", f"{statistics.median(us):.1f} µs a sync", f"≤ {GROWTH} × the first",
                  middle <= GROWTH,
                  [f"× the first: {spread(growth, '', 2)}", f"{spread(rates, 'syncs/s', 0)}, p99 {subject.middle('p99Ms'):.1f} ms",
                   f"{bytes_each:,.0f} bytes an executor, {memory_of[count] / 1e6:,.0f} MB in all; ready after {ready[count]:.2f} s"],
                  {"runs": subject.runs, "residentBytes": memory_of[count], "baseBytes": base_bytes, "readyS": ready[count]})
    each = [(memory_of[count] - base_bytes) / count for count in counts]
    # A thousand are lost in what a program holds anyway.
    large = [one for count, one in zip(counts, each) if count >= 10_000]
    if len(large) > 1:
        steepest = max(large) / large[0]
        bench.row("memory grows in proportion", f"{steepest:.2f} ×", f"≤ {GROWTH} ×", steepest <= GROWTH,
                  ["the most bytes an executor, over those at 10,000"], {"bytes": each})
    for subject in subjects:
        bench.done_with(subject.server)
