"""Upgrades that a person steers in flight: abandon, pause, complete, roll back, and one that is cut short."""

from __future__ import annotations

import stat

import contract
from bench import AGENT_VERSION, TRIAL_SECONDS, Bench, is_about, outcome, stage
from control_plane import Artifact

# At the pace of a slow artifact this is far more than any scenario waits for.
SLOW_BYTES = 4 * 1024 * 1024


def drops_what_is_abandoned(bench: Bench) -> None:
    for intent in ("abandon", "rollback"):
        spec, artifact = offer_slowly(bench, intent="apply")
        bench.plane.offer(spec | {"intent": intent})
        report = bench.wait_report(spec, contract.has_ended)
        bench.checks.equal(f"the intent {intent} during a download ends it", "ABANDONED", stage(report))
        bench.check_untouched(f"the intent {intent} during a download removes what was fetched")
        artifact.hurry.set()


def resumes_what_was_cut_short(bench: Bench) -> None:
    spec, artifact = offer_slowly(bench, intent="validate")
    bench.host.kill()
    artifact.hurry.set()
    after = len(bench.plane.syncs)
    bench.host.start()
    report = bench.wait_report(spec, contract.has_ended, after=after)
    bench.checks.equal("an attempt killed during its download goes on", "COMPLETED at VERIFY", outcome(report))
    bench.check_untouched("an attempt killed during its download leaves nothing behind in the end")


def offer_slowly(bench: Bench, intent: str) -> tuple[dict, Artifact]:
    """Offers a harmless release on a slow line and waits until its first bytes are reported."""
    slow = bench.harmless(bench.kit.release.version, SLOW_BYTES)
    artifact = Artifact(slow.body, slow=True)
    spec = bench.spec(slow, artifact, intent=intent)
    bench.plane.offer(spec)
    check_download_underway(bench, spec, f"syncs go on during a slow download to {intent}")
    return spec, artifact


def check_download_underway(bench: Bench, spec: dict, sentence: str) -> None:
    report = bench.wait_report(spec, lambda upgrade: upgrade["stage"] == "DOWNLOAD" and upgrade["bytesDone"] > 0)
    bench.checks.holds(sentence, bool(report), "DOWNLOAD with bytesDone above 0", outcome(report))


def pauses_then_applies_by_hand(bench: Bench) -> None:
    """An enrolled agent: pause during the download, apply, not now while the trial is open, complete."""
    checks, plane, release = bench.checks, bench.plane, bench.kit.release
    check_enrolment(bench)
    artifact = Artifact(release.body, slow=True)
    spec = bench.spec(release, artifact, confirm="manual")
    plane.offer(spec)
    check_download_underway(bench, spec, "syncs go on during a slow download of the release")
    plane.offer(spec | {"intent": "pause"})
    paused = bench.wait_report(spec, lambda upgrade: upgrade["status"] == "PAUSED")
    checks.equal("the intent pause stops a download", "PAUSED at DOWNLOAD", outcome(paused))
    states = {(outcome(sync), sync.upgrade.get("bytesDone")) for sync in bench.next_syncs(2)}
    checks.holds("a paused download stands still", len(states) == 1, "one state", states)
    artifact.hurry.set()
    plane.offer(spec)
    waiting = bench.wait_report(spec, lambda upgrade: upgrade["stage"] in ("CONFIRM_COMPLETION", *contract.OTHER_ENDS))
    checks.equal("after apply a paused upgrade goes on to its confirmation", "CONFIRM_COMPLETION", stage(waiting))
    check_not_now(bench, spec)


def check_enrolment(bench: Bench) -> None:
    checks, plane, host = bench.checks, bench.plane, bench.host
    bench.next_syncs(1, after=0)
    checks.equal("enrolment sends name and kind", [{"name": host.name, "kind": "agent"}], plane.enrolments)
    kept = host.data_dir / "credentials.json"
    mode = stat.filemode(kept.stat().st_mode) if kept.exists() else "no file"
    checks.equal("the key from the enrolment is kept for the owner only", "-rw-------", mode)
    text = kept.read_text() if kept.exists() else ""
    keeps_key = any(key in text for key in plane.bound_names)
    checks.holds("the key from the enrolment is in the file", keeps_key, "the key", "another text")
    host.kill()
    after = len(plane.syncs)
    host.start()
    again = bench.wait(lambda sync: sync.acknowledged, after=after)
    checks.holds("a restarted agent syncs with the key it kept", bool(again), "a sync", outcome(again))
    checks.equal("an agent enrols only once", 1, len(plane.enrolments))


def check_not_now(bench: Bench, open_trial: dict) -> None:
    checks, plane, running = bench.checks, bench.plane, bench.kit.release.version
    next_version = running.rpartition(".")[0] + ".99"
    other = bench.spec(bench.harmless(next_version), fromVersion=running, intent="validate")
    after = plane.offer(other)
    bench.next_syncs(3)
    about_other = [sync for sync in plane.syncs[after:] if is_about(sync, other)]
    ended = [outcome(sync) for sync in about_other if contract.has_ended(sync.upgrade)]
    checks.equal("another spec during an open trial is neither refused nor run", [], ended)
    plane.offer(open_trial | {"intent": "complete"})
    report = bench.wait_report(open_trial, contract.has_ended)
    checks.equal("the intent complete commits the trial", "COMPLETED at COMPLETED", outcome(report))
    bench.check_stages("the stages of a paused upgrade never go backwards", open_trial, "COMPLETED")
    bench.check_dry_run("the spec that was not now runs after the trial", other)


def rolls_back_on_request(bench: Bench) -> None:
    checks, plane, host, release = bench.checks, bench.plane, bench.host, bench.kit.release
    old_bytes = host.binary.read_bytes()
    spec = bench.spec(release, healthWindowMs=60000)
    plane.offer(spec)
    trial = bench.wait_report(spec, lambda upgrade: contract.has_ended(upgrade) or upgrade["stage"] == "CHECK_HEALTH")
    checks.equal("the trial is open at CHECK_HEALTH", "CHECK_HEALTH", stage(trial))
    plane.offer(spec | {"intent": "rollback"})
    report = bench.wait_report(spec, contract.has_ended, TRIAL_SECONDS)
    checks.equal("the intent rollback ends the trial", "ROLLEDBACK", stage(report))
    back = bench.wait(lambda sync: sync.body["currentVersion"] == AGENT_VERSION, after=len(plane.syncs))
    checks.holds("the old version syncs again", bool(back), AGENT_VERSION, "no such sync in time")
    checks.holds("the binary has the old bytes again", host.binary.read_bytes() == old_bytes, "the old bytes", "others")
    fetches = len(plane.fetches)
    plane.offer(spec)
    again = bench.next_syncs(3)
    stages = {sync.upgrade.get("stage") for sync in again}
    checks.equal("an attempt that was rolled back is only reported again", {"ROLLEDBACK"}, stages)
    versions = {sync.body["currentVersion"] for sync in again}
    checks.equal("an attempt that was rolled back is never swapped in again", {AGENT_VERSION}, versions)
    checks.equal("an attempt that was rolled back fetches nothing", 0, len(plane.fetches) - fetches)
