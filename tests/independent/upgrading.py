"""The real upgrade, from the first report to the committed release."""

from __future__ import annotations

import stat

from bench import AGENT_VERSION, HEALTH_WINDOW_MS, TRIAL_SECONDS, Bench, error_code, outcome
from releases import Release


def upgrades_for_real(bench: Bench) -> None:
    checks, plane, host, release = bench.checks, bench.plane, bench.host, bench.kit.release
    mode, old_bytes = host.binary.stat().st_mode, host.binary.read_bytes()
    floor = f"{bench.signer.comment(release.version)}\tfloor:{release.version}"
    spec = bench.spec(Release(release.version, release.body, bench.signer.sign(release.body, floor)))
    report = bench.run_to_end(spec, TRIAL_SECONDS)
    checks.equal("the real upgrade ends COMPLETED", "COMPLETED at COMPLETED", outcome(report))
    reporter = report and report.body["currentVersion"]
    checks.equal("the new version reports its own completion", release.version, reporter)
    bench.check_stages("the stages of the real upgrade never go backwards", spec, "COMPLETED")
    last_old = max((sync.at for sync in plane.syncs if sync.body["currentVersion"] == AGENT_VERSION), default=0)
    trial = report.at - last_old if report else 0
    window = HEALTH_WINDOW_MS / 1000
    checks.holds("the trial lasts as long as the health window", trial >= window, f"{window} s", f"{trial:.2f} s")
    checks.holds("the binary has the new bytes", host.binary.read_bytes() == release.body, "the release", "other bytes")
    kept = host.previous.exists() and host.previous.read_bytes() == old_bytes
    checks.holds("the .prev beside it has the old bytes", kept, "the old bytes", "others or none")
    checks.equal("the mode of the binary is kept", stat.filemode(mode), stat.filemode(host.binary.stat().st_mode))
    names = {path.name for path in host.binary.parent.iterdir()}
    checks.equal("nothing else is left beside the binary", {host.binary.name, host.previous.name}, names)
    check_after_completion(bench, spec)


def check_after_completion(bench: Bench, spec: dict) -> None:
    checks, plane, release = bench.checks, bench.plane, bench.kit.release
    fetches = len(plane.fetches)
    outcomes = {outcome(sync) for sync in bench.next_syncs(2)}
    checks.equal("a completed upgrade offered again is only reported", {"COMPLETED at COMPLETED"}, outcomes)
    checks.equal("a completed upgrade offered again fetches nothing", 0, len(plane.fetches) - fetches)
    older = bench.spec(bench.harmless(AGENT_VERSION), fromVersion=release.version, direction="downgrade")
    report = bench.run_to_end(older)
    checks.equal("a version below the committed floor is refused", "below_floor", error_code(report) or outcome(report))
