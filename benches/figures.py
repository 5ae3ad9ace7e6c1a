"""How a figure of `make bench` is taken and printed; shared by all that measure."""

import os
import resource
import statistics
import subprocess
import sys
import time


def row(figures, name, measured, budget, within, lines, raw):
    verdict = {True: "within budget", False: "OVER BUDGET", None: ""}[within]
    print(f"{name:<27} {measured:>20}   {budget:<12} {verdict}".rstrip())
    for line in lines:
        print(f"      {line}")
    figures[name] = {"measured": measured, "budget": budget, "within": within, "how": lines, **raw}
    sys.stdout.flush()


def ratio(figures, name, ours, theirs, at_most=None, at_least=None):
    each = [a / b for a, b in zip(ours, theirs)]
    middle, budget, within = statistics.median(each), "", None
    if at_most is not None:
        budget, within = f"≤ {at_most:.2f}", middle <= at_most
    if at_least is not None:
        budget, within = f"≥ {at_least:.2f}", middle >= at_least
    row(figures, name, f"{middle:.2f}", budget, within, [spread(each, "", 2)], {"rounds": each})


def spread(values, unit, digits, what="rounds"):
    unit = f" {unit}" if unit else ""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"median {middle:,.{digits}f}{unit} of {len(values)} {what} ({low:,.{digits}f} to {high:,.{digits}f})"


def shell(command):
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: `{command}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def timed(command, code, expected):
    """Seconds on the wall, of the user, of the system, and what was said; the result must be right too."""
    # No proxy, whatever the environment of whoever runs this says.
    environment = {name: os.environ[name] for name in ("PATH", "BENCH")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["sh", "-c", command], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code or expected not in done.stdout:
        sys.exit(f"bench: `{command}` must end with {code} and say {expected!r}, it ended with {done.returncode}:\n"
                 f"{done.stdout}")
    return (wall, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime), done.stdout


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
