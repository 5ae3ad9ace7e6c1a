#!/usr/bin/env python3
"""Asks the real control plane whatever its own description allows, and whatever it forbids.

    drive.py --control-plane PROGRAM --secret-key KEY --schemathesis PROGRAM [--examples N] [--seed N]

KEY is a minisign secret key without a password whose public half the control plane has baked in. Exits with 0 if every
answer was one that the served description names. The same seed asks the same questions.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).absolute().parent
TARGET = "x86_64-unknown-linux-musl"
START_SECONDS = 20
VERSIONS, DRAFT = ("1.1.0", "1.2.0", "3.0.0", "1.3.0"), "1.3.0"

# A day without a sync is nothing here, and no artifact is large.
LIMITS = {"HEARTBEAT_TIMEOUT_MS": "86400000", "MAX_ARTIFACT_BYTES": "1048576"}

# What is asked for, and what the executor says of it.
UPGRADES: list[tuple[dict | None, dict | None]] = [
    ({}, None),
    ({"confirmStart": "manual"}, None),
    ({}, {"stage": "DOWNLOAD", "status": "UNDERWAY", "bytesDone": 5, "bytesTotal": 25}),
    ({"confirm": "manual"}, {"stage": "CONFIRM_COMPLETION", "status": "UNDERWAY"}),
    ({}, {"stage": "COMPLETED", "status": "COMPLETED"}),
    ({}, {"stage": "FAILED", "status": "FAILED"}),
    (None, None),
]
LOG_TAIL_LINES = 40


def main() -> int:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="novacula-api-") as folder, ControlPlane(arguments, Path(folder)) as asked:
        environment = seeded(asked, arguments.secret_key, Path(folder))
        # The files it names are looked for beside it.
        shutil.copy(HERE / "schemathesis.toml", folder)
        print(f"schemathesis: seed {arguments.seed}, at most {arguments.examples} examples an operation", flush=True)
        command = [
            *(arguments.schemathesis, "run", f"{asked.url}/api/v1/openapi.json"),
            *("--checks", "all", "--max-examples", str(arguments.examples), "--seed", str(arguments.seed)),
            *("--continue-on-failure", "--request-timeout", "10"),
            *arguments.more,
        ]
        ended = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=False)
        if ended.returncode != 0 or asked.program.poll() is not None:
            print(asked.last_words(), file=sys.stderr)
            print(f"ask the same again with --seed {arguments.seed}", file=sys.stderr)
            return 1
        return 0


def absolute(path: str) -> Path:
    return Path(path).absolute()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control-plane", type=absolute, required=True, help="the program")
    parser.add_argument("--secret-key", type=absolute, required=True, help="minisign secret key without a password")
    parser.add_argument("--schemathesis", type=absolute, required=True, help="its program, `st`")
    parser.add_argument("--examples", type=int, default=10, help="how many an operation and a phase")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="where it begins")
    parser.add_argument("more", nargs="*", help="further arguments of schemathesis, after --")
    return parser.parse_args()


class ControlPlane:
    """The program on a free port with an empty data directory; ends with the block."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.program = subprocess.Popen(
                [arguments.control_plane, "serve"],
                env={"DATA_DIR": str(folder / "data"), "PORT": "0", "RUST_LOG": "warn", **LIMITS},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.token = self.said("owner token (shown once): ")
        self.url = self.said("listening on ")

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(self, *_: object) -> None:
        self.program.terminate()
        self.program.wait(START_SECONDS)

    def said(self, beginning: str) -> str:
        for line in self.program.stdout:
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        raise SystemExit(f"the control plane says `{beginning}…` before it ends:\n{self.last_words()}")

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def call(self, method: str, path: str, bearer: str, body: object = None, kind: str = "application/json") -> object:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": kind}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def ask(self, method: str, path: str, body: object = None) -> object:
        return self.call(method, path, self.token, body)


def seeded(asked: ControlPlane, secret_key: Path, folder: Path) -> dict[str, str]:
    """Releases, executors and upgrades at all stages; answers the secrets of those who will ask."""
    known: dict[str, list[str]] = {"executors": [], "upgrades": [], "releases": [], "versions": list(VERSIONS)}
    for version in VERSIONS:
        release = publish(asked, version, secret_key, folder)
        known["releases"].append(release["id"])
        if version != DRAFT:
            asked.ask("PATCH", f"/releases/{release['id']}", {"status": "published", "notes": "for the test"})
    for number, (request, report) in enumerate(UPGRADES * 2):
        host = Host(asked, f"host-{number}")
        known["executors"].append(host.id)
        if request is not None:
            upgrade = asked.ask("POST", f"/executors/{host.id}/upgrade", {"targetVersion": "1.1.0", **request})
            known["upgrades"].append(upgrade["id"])
            if report is not None:
                host.sync(upgrade={"upgradeId": upgrade["id"], "attempt": 1, **report})
    for name, values in known.items():
        (folder / f"{name}.txt").write_text("".join(f'"{value}"\n' for value in values))
    token = asked.ask("POST", "/enrolment-tokens", {"maxUses": 1_000_000, "expiresAt": in_a_day()})
    session = asked.ask("GET", "/session")
    tokens = [one["id"] for one in asked.ask("GET", "/tokens")["items"]]
    return {
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
        "PERSON_TOKEN": asked.token,
        "SPARED": " ".join([session["userId"], session["accountId"], *tokens]),
        "EXECUTOR_KEY": host.key,
        "EXECUTOR_NAME": host.name,
        "ENROLMENT_TOKEN": token["secret"],
    }


class Host:
    """An executor that says what it is told to say."""

    def __init__(self, asked: ControlPlane, name: str) -> None:
        self.asked, self.name = asked, name
        self.key = asked.ask("POST", "/executor-keys", {})["secret"]
        self.sync()
        self.id = asked.ask("GET", f"/executors?name={name}")["items"][0]["id"]

    def sync(self, **more: object) -> None:
        said = {"name": self.name, "kind": "agent", "currentVersion": "1.0.0", "target": TARGET, **more}
        self.asked.call("POST", "/syncExecutor", self.key, said)


def in_a_day() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))


def publish(asked: ControlPlane, version: str, secret_key: Path, folder: Path) -> object:
    artifact, signature = folder / f"agent-{version}", folder / f"agent-{version}.minisig"
    artifact.write_text(f"not really an agent {version}")
    comment = f"kind:agent version:{version} target:{TARGET}"
    signing = ["minisign", "-S", "-s", secret_key, "-t", comment, "-x", signature, "-m", artifact]
    subprocess.run(signing, check=True, stdout=subprocess.DEVNULL)
    fields = {"kind": "agent", "version": version, "signature": signature.read_text(), "artifact": artifact.read_text()}
    boundary = "novacula-boundary"
    form = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    body = f"{form}--{boundary}--\r\n".encode()
    return asked.call("POST", "/releases", asked.token, body, f"multipart/form-data; boundary={boundary}")


if __name__ == "__main__":
    sys.exit(main())
