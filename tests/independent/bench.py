"""What every scenario stands on: one host, one control plane, specs, waits with a limit, checks that are sentences."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import contract
import releases
from control_plane import Artifact, ControlPlane, Sync, rfc3339
from host import Host
from releases import Release, Signer

AGENT_VERSION = "1.0.0"
HEALTH_WINDOW_MS = 2000
# The executor syncs every second; after one bad answer it may back off for a few.
SOON_SECONDS = 12
TRIAL_SECONDS = 25


class Deadline:
    """The end of the whole run: no wait goes beyond it."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def expire(self) -> None:
        self._end = time.monotonic()

    def at_most(self, seconds: float) -> float:
        return max(0.0, min(seconds, self._end - time.monotonic()))


class Checks:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failed = 0

    def holds(self, sentence: str, condition: bool, expected: object, found: object) -> None:
        self.failed += not condition
        complaint = f": expected {expected}, found {found}"
        self.lines.append(f"ok - {sentence}" if condition else f"not ok - {sentence}{complaint}")

    def equal(self, sentence: str, expected: object, found: object) -> None:
        self.holds(sentence, expected == found, expected, found)


class Kit:
    """What the command line named, and the deadline of the run."""

    def __init__(self, agent: Path, release: Release, signer: Signer, version_text: str, deadline: Deadline) -> None:
        self.agent = agent
        self.release = release
        self.signer = signer
        self.deadline = deadline
        self._version_text = version_text

    def version_line(self, version: str) -> str:
        """What an agent of this version prints for --version, in the words of the real release."""
        return self._version_text.replace(self.release.version, version)


class Bench:
    """A fresh host beside a fresh control plane that knows the token in the host's config."""

    def __init__(self, kit: Kit, root: Path, name: str, token_prefix: str) -> None:
        self.kit = kit
        self.root = root
        self.name = name
        self.signer = kit.signer
        self.checks = Checks()
        self.token = token_prefix + secrets.token_hex(16)
        enrols = token_prefix == "nve_"
        self.plane = ControlPlane(enrolment_token=self.token) if enrols else ControlPlane(executor_key=self.token)
        self.host = Host(root, name, kit.agent, self.plane.origin, self.token)

    # Bytes, signatures and specs.

    def harmless(self, version: str, size: int = releases.STUB_BYTES) -> Release:
        """A release that a host may well run to ask for its version."""
        return self.signer.release(self.stub(version, Path(os.devnull), size), version)

    def watched(self, version: str) -> Release:
        """A release of which no byte may ever be run: running it leaves a footprint."""
        return self.signer.release(self.stub(version, self.host.footprint), version)

    def stub(self, version: str, footprint: Path, size: int = releases.STUB_BYTES) -> bytes:
        return releases.stub(self.kit.version_line(version), footprint, size)

    def spec(self, release: Release, artifact: Artifact | None = None, **changes: object) -> dict:
        """An order for this release that a host accepts, unless `changes` spoil it."""
        artifact = artifact or Artifact(release.body)
        lifetime = timedelta(hours=1)
        return {
            "kind": "agent",
            "upgradeId": uuid7(),
            "attempt": 1,
            "intent": "apply",
            "fromVersion": AGENT_VERSION,
            "targetVersion": release.version,
            "direction": "upgrade",
            "confirm": "auto",
            "healthWindowMs": HEALTH_WINDOW_MS,
            "expiresAt": rfc3339(datetime.now(timezone.utc) + lifetime),
            "downloadUrl": self.plane.serve(artifact),
            "size": len(release.body),
            "sha256": Artifact(release.body).name,
            "signature": release.signature,
        } | changes

    # Waits.

    def wait(self, condition: Callable[[Sync], bool], seconds: float = SOON_SECONDS, after: int = 0) -> Sync | None:
        """As the control plane's wait, but gives up as soon as the agent is gone."""
        end = time.monotonic() + self.kit.deadline.at_most(seconds)
        while True:
            slice_seconds = min(0.25, max(0.0, end - time.monotonic()))
            found = self.plane.wait(condition, slice_seconds, after)
            if found or time.monotonic() >= end or not self.host.is_running():
                return found

    def wait_report(
        self, spec: dict, condition: Callable[[dict], bool], seconds: float = SOON_SECONDS, after: int = 0
    ) -> Sync | None:
        """The first sync whose report is on this very attempt and satisfies the condition."""
        return self.wait(lambda sync: is_about(sync, spec) and condition(sync.upgrade), seconds, after)

    def next_syncs(self, count: int, after: int | None = None) -> list[Sync]:
        """As many syncs as asked, from now on or from number `after` on; fewer when they do not come."""
        start = len(self.plane.syncs) if after is None else after
        self.wait(lambda sync: len(self.plane.syncs) >= start + count, after=start)
        return self.plane.syncs[start : start + count]

    def poll(self, condition: Callable[[], bool], seconds: float = 3) -> bool:
        """For what no sync announces, such as a file that disappears."""
        end = time.monotonic() + self.kit.deadline.at_most(seconds)
        while not (met := condition()) and time.monotonic() < end:
            time.sleep(0.02)
        return met

    # Checks that many scenarios share.

    def run_to_end(self, spec: dict, seconds: float = SOON_SECONDS) -> Sync | None:
        return self.wait_report(spec, contract.has_ended, seconds, self.plane.offer(spec))

    def check_dry_run(self, sentence: str, spec: dict) -> None:
        report = self.run_to_end(spec | {"intent": "validate"})
        self.checks.equal(sentence, "COMPLETED at VERIFY", outcome(report))

    def check_refused(self, sentence: str, code: str, spec: dict) -> None:
        report = self.run_to_end(spec)
        self.checks.equal(f"{sentence} is refused as {code}", code, error_code(report) or outcome(report))
        untouched = self.check_untouched(f"{sentence} leaves the host as it was")
        if not untouched or not self.host.is_running():
            self._start_afresh()

    def check_untouched(self, sentence: str) -> bool:
        untouched = self.poll(lambda: not self.host.traces())
        self.checks.holds(sentence, untouched, "no traces", self.host.traces())
        return untouched

    def check_still_syncing(self, sentence: str, after: int) -> None:
        """The agent lives and has had a proper answer again."""
        back = self.wait(lambda sync: sync.acknowledged, 2 * SOON_SECONDS, after)
        found = "the agent syncing" if back else "no more sync" if self.host.is_running() else "the agent ended"
        self.checks.equal(sentence, "the agent syncing", found)

    def check_stages(self, sentence: str, spec: dict, end: str) -> None:
        """Stages may be coalesced, but what is seen is in order."""
        seen = [sync.upgrade["stage"] for sync in self.plane.syncs if is_about(sync, spec)]
        walked = [stage for number, stage in enumerate(seen) if number == 0 or stage != seen[number - 1]]
        in_order = walked == sorted(walked, key=contract.rank) and walked[-1:] == [end]
        self.checks.holds(sentence, in_order, f"the order of the contract up to {end}", walked)

    def check_whole_run(self) -> None:
        """What must be true of every request of a scenario, whatever it was about."""
        syncs, keys = list(self.plane.syncs), {f"Bearer {key}" for key in self.plane.bound_names}
        faults = sorted({fault for sync in syncs for fault in contract.sync_faults(sync.body, "sync")})
        found = faults if syncs else ["no sync at all"]
        self.checks.equal(f"every sync of {self.name} has the shape of the contract", [], found)
        strange = {sync.headers["Authorization"] for sync in syncs} - keys
        self.checks.equal(f"every sync of {self.name} carries its key as a bearer token", set(), strange)
        repeated = repeated_log_lines(syncs)
        self.checks.equal(f"no log line of {self.name} comes again once it was acknowledged", [], repeated)
        self.checks.holds(f"the agent of {self.name} runs to the end", self.host.is_running(), "running", "ended")

    def _start_afresh(self) -> None:
        """One hole must not hide what the next check would find."""
        self.host.kill()
        self.host.install()
        self.host.start()

    @contextmanager
    def running(self):
        try:
            self.host.start()
            yield self
        finally:
            self.host.kill()
            self.plane.close()


def uuid7() -> str:
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    digits = f"{number:032x}"
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


def is_about(sync: Sync, spec: dict) -> bool:
    return (sync.upgrade.get("upgradeId"), sync.upgrade.get("attempt")) == (spec["upgradeId"], spec["attempt"])


def error_code(sync: Sync | None) -> str | None:
    error = sync.upgrade.get("error") if sync else None
    return error.get("code") if isinstance(error, dict) else None


def outcome(sync: Sync | None) -> str:
    """A report in a few words, for a check and for its complaint."""
    if sync is None:
        return "no such report in time"
    code = error_code(sync)
    return f"{sync.upgrade.get('status')} at {sync.upgrade.get('stage')}" + (f" with {code}" if code else "")


def stage(sync: Sync | None) -> str:
    return sync.upgrade["stage"] if sync else outcome(sync)


def repeated_log_lines(syncs: list[Sync]) -> list[str]:
    acknowledged: set[tuple] = set()
    repeated = []
    for sync in syncs:
        attempt = (sync.upgrade.get("upgradeId"), sync.upgrade.get("attempt"))
        lines = {(*attempt, line.get("at"), line.get("message")) for line in sync.upgrade.get("log") or []}
        repeated += [line[-1] for line in acknowledged & lines]
        acknowledged |= lines if sync.acknowledged else set()
    return repeated
