#!/usr/bin/env python3
"""Drives a real agent through the contract with a control plane that was written from the protocol page alone.

    drive.py --agent AGENT_1.0.0 --release AGENT_1.1.0 --release-version 1.1.0 --secret-key KEY --target TRIPLE

Both agents must have the public half of KEY baked in; KEY is a minisign secret key without a password. The agent runs
as a plain process, without systemd. Every check is one line; the exit code is 0 only if all of them passed.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import refusing
import speaking
import steering
import surviving
import upgrading
from bench import Bench, Checks, Deadline, Kit
from releases import Signer

TOTAL_SECONDS = 85
LOG_TAIL_LINES = 30
EXECUTOR_KEY, ENROLMENT_TOKEN = "nva_", "nve_"

# Each has a host and a control plane of its own, so that all can run side by side: name, walk, kind of token.
SCENARIOS: list[tuple[str, Callable[[Bench], None], str]] = [
    ("speaking", speaking.speaks_the_contract, EXECUTOR_KEY),
    ("dry-runs", speaking.dry_runs_swap_nothing, EXECUTOR_KEY),
    ("lost-reports", speaking.failed_reports_change_nothing, EXECUTOR_KEY),
    ("wrong-bytes", refusing.refuses_wrong_bytes, EXECUTOR_KEY),
    ("wrong-signatures", refusing.refuses_wrong_signatures, EXECUTOR_KEY),
    ("wrong-specs", refusing.refuses_wrong_specs, EXECUTOR_KEY),
    ("abandoned", steering.drops_what_is_abandoned, EXECUTOR_KEY),
    ("cut-short", steering.resumes_what_was_cut_short, EXECUTOR_KEY),
    ("paused", steering.pauses_then_applies_by_hand, ENROLMENT_TOKEN),
    ("hostile-statuses", surviving.survives_hostile_statuses, EXECUTOR_KEY),
    ("hostile-bodies", surviving.survives_hostile_bodies, EXECUTOR_KEY),
    ("hostile-specs", surviving.survives_hostile_specs, EXECUTOR_KEY),
    ("token", surviving.keeps_its_token_at_home, EXECUTOR_KEY),
    ("real-upgrade", upgrading.upgrades_for_real, EXECUTOR_KEY),
    ("rolled-back", steering.rolls_back_on_request, EXECUTOR_KEY),
]


def main() -> int:
    arguments = parse_arguments()
    deadline = Deadline(TOTAL_SECONDS)
    # Once the deadline has expired every wait is over at once, and each scenario ends its own agent on the way out.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: deadline.expire())
    kit = read_kit(arguments, deadline)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="independent-") as folder, ThreadPoolExecutor(len(SCENARIOS)) as pool:
        for checks in pool.map(lambda scenario: run_scenario(kit, Path(folder), *scenario), SCENARIOS):
            print("\n".join(checks.lines), flush=True)
            failed += checks.failed
            passed += len(checks.lines) - checks.failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", type=Path, required=True, help="the agent that runs, version 1.0.0")
    parser.add_argument("--release", type=Path, required=True, help="the agent that it is upgraded to")
    parser.add_argument("--release-version", required=True, help="the version that the release was built with")
    parser.add_argument("--secret-key", type=Path, required=True, help="minisign secret key without a password")
    parser.add_argument("--target", required=True, help="the target triple that both were built for")
    return parser.parse_args()


def read_kit(arguments: argparse.Namespace, deadline: Deadline) -> Kit:
    release, version = arguments.release.resolve(), arguments.release_version
    asked = subprocess.run([release, "--version"], check=True, capture_output=True, text=True, timeout=10)
    printed = asked.stdout.strip()
    if version not in printed:
        sys.exit(f"--release prints {printed!r} as its version, expected {version}")
    signer = Signer(arguments.secret_key.resolve(), arguments.target)
    return Kit(arguments.agent.resolve(), signer.release(release.read_bytes(), version), signer, printed, deadline)


def run_scenario(kit: Kit, folder: Path, name: str, walk: Callable[[Bench], None], token_prefix: str) -> Checks:
    root = folder / name
    root.mkdir()
    bench = Bench(kit, root, f"{name}-{secrets.token_hex(2)}", token_prefix)
    with bench.running():
        try:
            walk(bench)
        except Exception as error:  # A broken answer of the agent must not silence the other scenarios.
            bench.checks.equal(f"the scenario {name} can be walked to its end", "no surprise", repr(error))
        bench.check_whole_run()
    if bench.checks.failed:
        tail = bench.host.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        print("\n".join(f"[{name}] {line}" for line in tail), file=sys.stderr)
    return bench.checks


if __name__ == "__main__":
    sys.exit(main())
