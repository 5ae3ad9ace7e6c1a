"""(h): two replicas on one PostgreSQL at 80 % of what they can do, one of them killed in the middle. Nothing may be lost."""

import random
import signal
import threading
import time

import fleet
from figures import progress

SHARE, EXECUTORS, CHANGING = 0.8, 20_000, 5
# The API is asked for some of them, the database for all.
ASKED = 500


def replicas(bench):
    if "postgres" not in bench.engines():
        bench.row("one of two replicas is killed", "not run", "", None, ["this control plane knows no PostgreSQL"], {})
        return
    seconds = bench.asked.long_run
    first = bench.control_plane("postgres", EXECUTORS)
    second = type(first)(bench.asked.control_plane, bench.place("replica"), first.database_url)
    servers = [first, second]
    progress(f"({bench.part}) the peak of two replicas")
    bench.greet(first, EXECUTORS)
    bench.greet(second, EXECUTORS)
    peak = bench.good(bench.load("peak", servers, EXECUTORS, seconds=bench.asked.seconds * 2, changing=CHANGING))["rate"]
    told = bench.place("acknowledged")
    killer = threading.Timer(seconds / 2, lambda: second.end(signal.SIGKILL))
    killer.start()
    progress(f"({bench.part}) {seconds:.0f} s at {SHARE * peak:,.0f} syncs/s, one of two replicas is killed in the middle")
    run = bench.load("killed", servers, EXECUTORS, seconds=seconds, rate=f"{SHARE * peak:.0f}", changing=CHANGING,
                     acknowledged=told)
    killer.join()
    progress("")
    changes = [tuple(map(int, line.split())) for line in told.read_text().splitlines()]
    lost = lost_in_database(bench, first, changes) | lost_in_api(first, changes)
    within = run["errors"] == 0 and not lost
    seen = sum(1 for _ in changes)
    bench.row("one of two replicas is killed", f"{run['errors']} errors, {len(lost)} lost", "0 errors, 0 lost", within,
              [f"{run['requests']:,} syncs in {run['seconds']:.0f} s, {run['rate']:,.0f} a second of a peak of {peak:,.0f};"
               f" {run['unsent']:,} were due and not sent when the time was over, {run['shed']:,} came again",
               f"{run['lostOnTheWire']} were lost on the wire and answered by the other; {run['badAnswers']} bad answers",
               f"p50 {run['p50Ms']:.1f} ms, p99 {run['p99Ms']:.1f} ms, the longest {run['maxMs']:,.0f} ms",
               f"the last change of {seen:,} executors was looked for in the database, of {min(ASKED, seen)} in the API"],
              {"run": run, "lost": sorted(lost)[:100]})
    bench.done_with(second)
    bench.done_with(first)


def fits(kept, acknowledged, sent):
    """What was acknowledged is there, or what was sent after it and not acknowledged any more."""
    return acknowledged <= kept <= sent


def lost_in_database(bench, server, changes):
    text = bench.postgres.psql(server.database_url.rpartition("/")[2],
                               "SELECT name || ' ' || (labels::json ->> 'said') FROM executors")
    kept = {name: int(said) for name, said in (line.split(" ") for line in text.splitlines())}
    return {number for number, acknowledged, sent in changes if not fits(kept[fleet.name(number)], acknowledged, sent)}


def lost_in_api(server, changes):
    # What the other replica wrote comes here a moment later; it is there for good when it is.
    lost, limit = set(), time.monotonic() + 10
    for number, acknowledged, sent in random.Random(7).sample(changes, min(ASKED, len(changes))):
        while not fits(said(server, number), acknowledged, sent):
            if time.monotonic() > limit:
                lost.add(number)
                break
            time.sleep(0.05)
    return lost


def said(server, number):
    return int(server.get(f"/api/v1/executors/{fleet.executor_id(number)}")["labels"]["said"])
