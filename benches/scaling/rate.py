"""(a), (b), (c): how many syncs a second, and how soon each is answered, beside an nginx that answers a fixed text on the
same processors to the same load."""

import statistics

from figures import spread

from .bench import Subject, in_turns

# The budgets: at least this share of what nginx does, and at 70 % of its own peak no later than this.
IDLE = {"memory": 0.65, "sqlite": 0.60, "postgres": 0.60}
DURABLE = 0.40
SHARE, P99_MS = 0.7, 10.0
# A round counts for the p99 when nginx itself is that soon: else the machine stood still, which no server can help. When too
# few are quiet, there are more of them, up to so many times as many.
QUIET_MS, PATIENCE = P99_MS / 2, 4
NAMES = {"memory": "in memory", "sqlite": "SQLite", "postgres": "PostgreSQL"}

EXECUTORS, PERCENT = 10_000, 10


def idle(bench):
    """(a) Every sync says what was said before."""
    engines = [engine for engine in ("memory", *bench.engines())]
    subjects = [Subject("nginx", bench.nginx(), EXECUTORS)]
    subjects += [Subject(NAMES[engine], bench.control_plane(engine, EXECUTORS), EXECUTORS) for engine in engines]
    compare(bench, subjects, {NAMES[engine]: IDLE[engine] for engine in engines})


def in_upgrade(bench):
    """(b) One of ten executors is in an upgrade."""
    load = {"in_upgrade": PERCENT, "at_a_stage": bench.asked.rounds * 8}
    subjects = [Subject("nginx", bench.nginx(), EXECUTORS, **load)]
    for engine in bench.engines():
        server = bench.control_plane(engine, EXECUTORS, in_upgrade=PERCENT)
        subjects.append(Subject(f"{NAMES[engine]}, {PERCENT} % in an upgrade", server, EXECUTORS, **load))
    compare(bench, subjects, {subject.label: None for subject in subjects[1:]})


def durable(bench):
    """(c) Every sync has something to keep, and is answered when it is kept."""
    # Whoever waits for a disk waits together with others: so many are under way at once.
    usual, bench.asked.connections = bench.asked.connections, bench.asked.connections * 32
    subjects = [Subject("nginx", bench.nginx(), EXECUTORS)]
    for engine in bench.engines():
        plain, advancing = bench.control_plane(engine, EXECUTORS), bench.control_plane(engine, EXECUTORS, advancing=100)
        subjects.append(Subject(f"{NAMES[engine]}, a label each", plain, EXECUTORS, changing=100, change="label"))
        subjects.append(Subject(f"{NAMES[engine]}, a stage each", advancing, EXECUTORS, changing=100, change="stage"))
    compare(bench, subjects, {subject.label: DURABLE if "label" in subject.label else None for subject in subjects[1:]})
    bench.asked.connections = usual


def compare(bench, subjects, budgets):
    seconds, rounds = bench.asked.seconds, bench.asked.rounds
    for subject in subjects[1:]:
        # The first syncs of all say nothing new, or that an upgrade begins: what is measured goes on from there.
        subject.greet(bench)
    in_turns(bench, subjects, rounds, "peak", seconds=seconds)
    nginx = subjects[0]
    peak = {subject.label: subject.middle("rate") for subject in subjects}
    report_rate(bench, nginx, None, None)
    for subject in subjects[1:]:
        report_rate(bench, subject, nginx, budgets[subject.label])
    share = {subject.label: SHARE * peak[subject.label] for subject in subjects}
    quiet = lambda: [number for number, run in enumerate(nginx.runs) if run["p99Ms"] <= QUIET_MS]
    in_turns(bench, subjects, PATIENCE * rounds, f"{SHARE:.0%} of the peak", lambda: len(quiet()) >= rounds,
             seconds=seconds, rate=lambda subject: f"{share[subject.label]:.0f}")
    for subject in subjects:
        report_p99(bench, subject, share[subject.label], quiet(), is_judged=subject is not nginx)
    for subject in subjects:
        bench.done_with(subject.server)


def report_p99(bench, subject, rate, quiet, is_judged):
    every = [run["p99Ms"] for run in subject.runs]
    late = [every[number] for number in quiet]
    measured = f"{statistics.median(late):.1f} ms" if late else "not judged"
    within = statistics.median(late) <= P99_MS if late and is_judged else None
    lines = [f"in the {len(late)} rounds of {len(every)} in which nginx itself had at most {QUIET_MS:.0f} ms"
             + (f": {spread(late, 'ms', 1)}" if late else ""), f"in all: {spread(every, 'ms', 1)}",
             f"{rate:,.0f} syncs/s were asked for, each counts from when it was due"]
    bench.row(f"p99 at {SHARE:.0%}: {subject.label}", measured, f"≤ {P99_MS:.0f} ms" if is_judged else "", within, lines,
              {"runs": subject.runs, "quiet": quiet})


def report_rate(bench, subject, nginx, budget):
    rates = [run["rate"] for run in subject.runs]
    server, load = subject.middle("serverUsPerSync"), subject.middle("loadUsPerSync")
    lines = [spread(rates, "syncs/s", 0),
             f"processor: {server:.1f} µs a sync, and {load:.1f} µs of the load; p99 {subject.middle('p99Ms'):.1f} ms"]
    raw = {"runs": subject.runs}
    if nginx is None:
        bench.row(f"peak: {subject.label}", f"{statistics.median(rates):,.0f} /s", "", None, lines, raw)
        return
    each = [ours["rate"] / theirs["rate"] for ours, theirs in zip(subject.runs, nginx.runs)]
    # What others do on this machine slows both down, and not always alike; processor time is counted, not waited for.
    whole = [(run["serverUsPerSync"] + run["loadUsPerSync"]) for run in nginx.runs]
    by_cpu = [theirs / (ours["serverUsPerSync"] + ours["loadUsPerSync"]) for ours, theirs in zip(subject.runs, whole)]
    middle = statistics.median(each)
    within = None if budget is None else middle >= budget
    lines += [f"÷ nginx: {spread(each, '', 2)}", f"by processor time, the load's counted: {spread(by_cpu, '', 2)}"]
    bench.row(f"÷ nginx: {subject.label}", f"{middle:.2f}", "" if budget is None else f"≥ {budget:.2f}", within, lines,
              {**raw, "rounds": each, "byCpu": by_cpu})
