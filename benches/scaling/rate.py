"""(a), (b), (c): how many syncs a second, and how soon each is answered, beside an nginx that answers a fixed text on the
same processors to the same load."""

import statistics

from figures import progress, spread

from .bench import Subject, all_at_rest, has_its_turn, in_turns

# The budgets: at least this share of what nginx does, and at 70 % of its own peak no later than this.
IDLE = {"memory": 0.65, "sqlite": 0.60, "postgres": 0.60}
DURABLE = 0.40
SHARE, P99_MS = 0.7, 10.0
# The machine is slow at times, for seconds, or stands still for a part of one, which no server can help. So this is measured in
# slices, each at that share of the peak of the moment before and between two such slices of nginx, and counts when nginx itself
# was as soon as is asked in both. For every round of the peak so many are wanted that count, and so many are tried at most.
PEAK_S, SLICE_S, WANTED, PATIENCE = 0.5, 1.0, 2, 6
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
    report_rate(bench, nginx, None, None)
    for subject in subjects[1:]:
        report_rate(bench, subject, nginx, budgets[subject.label])
    for label, slices in in_slices(bench, subjects).items():
        report_p99(bench, label, slices, is_judged=label != nginx.label)
    for subject in subjects:
        bench.done_with(subject.server)


def in_slices(bench, subjects):
    """For each subject its slices, and whether nginx, the first, was soon before and after; for nginx whether it was."""
    nginx, *ours = subjects
    slices = {subject.label: [] for subject in subjects}
    with all_at_rest(subjects):
        before = slice_of(bench, nginx)
        for number in range(PATIENCE * bench.asked.rounds):
            for subject in ours:
                progress(f"({bench.part}) {SHARE:.0%} of the peak: {subject.label}, slice {number + 1}")
                run, after = slice_of(bench, subject), slice_of(bench, nginx)
                slices[subject.label].append((run, max(before["p99Ms"], after["p99Ms"]) <= P99_MS))
                slices[nginx.label].append((after, after["p99Ms"] <= P99_MS))
                before = after
            if all(len(counting(slices[subject.label])) >= WANTED * bench.asked.rounds for subject in ours):
                break
    return slices


def slice_of(bench, subject):
    with has_its_turn(subject):
        peak = subject.run(bench, seconds=PEAK_S)
        return subject.run(bench, seconds=SLICE_S, rate=f"{SHARE * peak['rate']:.0f}")


def counting(slices):
    return [run["p99Ms"] for run, counts in slices if counts]


def report_p99(bench, label, slices, is_judged):
    runs, counted = [run for run, _ in slices], counting(slices)
    middle = statistics.median(counted) if counted else None
    within = middle <= P99_MS if is_judged and counted else None
    lines = [f"in the slices around which nginx had at most {P99_MS:.0f} ms"
             + (f": {spread(counted, 'ms', 1, 'slices')}" if counted else ", of which there were none"),
             f"in all: {spread([run['p99Ms'] for run in runs], 'ms', 1, 'slices')}",
             f"asked for, and each counts from when it was due: {spread([run['askedRate'] for run in runs], 'syncs/s', 0, 'slices')}"]
    bench.row(f"p99 at {SHARE:.0%}: {label}", "not judged" if middle is None else f"{middle:.1f} ms",
              f"≤ {P99_MS:.0f} ms" if is_judged else "", within, lines,
              {"runs": runs, "counts": [counts for _, counts in slices]})


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
