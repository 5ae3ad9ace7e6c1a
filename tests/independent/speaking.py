"""How an agent speaks: its syncs field by field, its dry runs, its reports that get lost."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import contract
from bench import AGENT_VERSION, Bench, is_about, outcome
from control_plane import Sync, error_reply, rfc3339
from releases import Release


def speaks_the_contract(bench: Bench) -> None:
    checks, plane = bench.checks, bench.plane
    started = datetime.now(timezone.utc)
    syncs = bench.next_syncs(3, after=0)
    checks.holds("the agent syncs again and again", len(syncs) == 3, "3 syncs", len(syncs))
    if syncs:
        check_fields(bench, syncs[0], started)
    check_interval(bench, "the agent keeps the configured interval of a second", syncs)
    starts = {tuple(sync.body.get(field) for field in ("bootId", "startedAt", "restarts")) for sync in syncs}
    checks.holds("every sync of one start tells of the same start", len(starts) == 1, "one start", starts)

    plane.answer_fields = {"syncIntervalMs": 1}
    check_interval(bench, "an interval of a millisecond is clamped to a second", bench.next_syncs(4)[1:])
    plane.answer_fields = {"preflight": ["disk_space"]}
    after = len(plane.syncs)
    asked = bench.wait(lambda sync: any(r.get("check") == "disk_space" for r in sync.body["preflight"]), after=after)
    plane.answer_fields = {}
    checks.holds("a preflight check that is asked for comes back by its name", bool(asked), "disk_space", "nothing")


def check_fields(bench: Bench, sync: Sync, started: datetime) -> None:
    checks, body = bench.checks, sync.body
    checks.equal("a sync is sent as JSON", "application/json", (sync.headers["Content-Type"] or "").split(";")[0])
    checks.equal("a sync carries the key as a bearer token", f"Bearer {bench.token}", sync.headers["Authorization"])
    checks.equal("a sync has the fields of the contract and no others", set(contract.SYNC_FIELDS), set(body))
    for field, shape in contract.SYNC_FIELDS.items():
        faults = shape(body.get(field), field)
        checks.equal(f"the first sync has a {field} of the right type", [], faults)
    known = {
        "name": bench.host.name,
        "kind": "agent",
        "currentVersion": AGENT_VERSION,
        "channel": bench.host.channel,
        "target": bench.signer.target,
        "labels": bench.host.labels,
        "held": None,
        "upgrade": None,
        "preflight": [],
    }
    for field, expected in known.items():
        checks.equal(f"the first sync says the true {field}", expected, body.get(field))
    # Bytes 2 to 9 of a signature are the id of its key, the least significant first.
    signature = base64.b64decode(bench.kit.release.signature.splitlines()[1])
    signed_by = signature[2:10][::-1].hex().upper()
    trusted = body.get("trustedKeys", [])
    checks.holds("the first sync names the key of the release among the trusted", signed_by in trusted, signed_by, trusted)
    if contract.is_moment(body.get("startedAt")):
        distance = abs(contract.parse_moment(body["startedAt"]) - started)
        checks.holds("startedAt is when this agent was started", distance < timedelta(seconds=30), started, distance)


def check_interval(bench: Bench, sentence: str, syncs: list[Sync]) -> None:
    gaps = [round(later.at - earlier.at, 2) for earlier, later in zip(syncs, syncs[1:])]
    # A second with a jitter of a tenth, and some room above for a busy machine.
    bench.checks.holds(sentence, bool(gaps) and all(0.85 <= gap <= 2 for gap in gaps), "0.9 s to 1.1 s", gaps)


def dry_runs_swap_nothing(bench: Bench) -> None:
    checks, plane, release = bench.checks, bench.plane, bench.kit.release
    spec = bench.spec(release, intent="validate")
    report = bench.run_to_end(spec)
    checks.equal("a dry run ends COMPLETED at VERIFY", "COMPLETED at VERIFY", outcome(report))
    if report:
        done = (report.upgrade["bytesDone"], report.upgrade["bytesTotal"])
        checks.equal("a finished download reports all its bytes", (len(release.body),) * 2, done)
    bench.check_untouched("a dry run swaps nothing and leaves no file behind")
    bench.check_stages("the stages of a dry run never go backwards and end at VERIFY", spec, "VERIFY")

    plane.offer(None)
    silent = bench.wait(lambda sync: sync.body.get("upgrade") is None, after=len(plane.syncs))
    checks.holds("once the offer is withdrawn the report ends", bool(silent), "upgrade null", "a report for ever")

    stranger_fields = {"colour": "green", "nested": {"deep": [1, {"er": None}]}}
    plane.answer_fields = stranger_fields
    unknown = bench.spec(bench.harmless(release.version), **stranger_fields)
    bench.check_dry_run("unknown fields in the answer and in the spec change nothing", unknown)
    plane.answer_fields = {}

    noted = bench.harmless(release.version).body
    comment = f"{bench.signer.comment(release.version)}\tcolour:green"
    signed = Release(release.version, noted, bench.signer.sign(noted, comment))
    bench.check_dry_run("unknown fields in the trusted comment change nothing", bench.spec(signed))

    plane.clock_offset = timedelta(days=-1)
    yesterday = rfc3339(datetime.now(timezone.utc) + plane.clock_offset + timedelta(hours=1))
    late = bench.spec(bench.harmless(release.version), expiresAt=yesterday)
    bench.check_dry_run("expiry is judged by the control plane's clock, not by the host's", late)


def failed_reports_change_nothing(bench: Bench) -> None:
    checks, plane = bench.checks, bench.plane
    down = error_reply(500, "internal", "Try again later.")
    first = plane.answer_next(down, when=lambda body: body.get("upgrade") is not None)
    plane.answer_next(down, when=lambda body: body.get("upgrade") is not None)
    spec = bench.spec(bench.harmless(bench.kit.release.version), intent="validate")
    plane.offer(spec)
    report = bench.wait(lambda sync: sync.acknowledged and is_about(sync, spec) and contract.has_ended(sync.upgrade))
    checks.equal("a dry run goes on although its first reports fail", "COMPLETED at VERIFY", outcome(report))
    about = [sync for sync in plane.syncs[first:] if is_about(sync, spec)]
    lost = {line["message"] for sync in about if not sync.acknowledged for line in sync.upgrade["log"]}
    heard = {line["message"] for sync in about if sync.acknowledged for line in sync.upgrade["log"]}
    checks.equal("log lines of a failed report come again with the next one", set(), lost - heard)
