"""Releases as a release engineer would make them, and as an attacker would: bytes, comments, minisign signatures."""

from __future__ import annotations

import base64
import secrets
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STUB_BYTES = 64 * 1024


class Signer:
    """Signs with the real minisign tool; the trusted comment carries the fields of section 4."""

    def __init__(self, secret_key: Path, target: str) -> None:
        self.secret_key = secret_key
        self.target = target

    def comment(self, version: str, kind: str = "agent", target: str | None = None) -> str:
        fields = [f"timestamp:{int(time.time())}", "file:novacula-agent"]
        return "\t".join(fields + [f"kind:{kind}", f"version:{version}", f"target:{target or self.target}"])

    def sign(self, body: bytes, comment: str, legacy: bool = False) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file, signature = Path(folder, "artifact"), Path(folder, "artifact.minisig")
            file.write_bytes(body)
            tool = ["minisign", "-S", "-s", self.secret_key, "-m", file, "-x", signature, "-t", comment]
            subprocess.run(tool + ["-l"] * legacy, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            return signature.read_text()

    def release(self, body: bytes, version: str) -> Release:
        return Release(version, body, self.sign(body, self.comment(version)))


@dataclass(frozen=True)
class Release:
    version: str
    body: bytes
    signature: str


def stranger(folder: Path, target: str) -> Signer:
    """A signer with a good key of its own that nobody baked in."""
    secret_key = folder / f"stranger-{secrets.token_hex(4)}.key"
    tool = ["minisign", "-G", "-W", "-f", "-p", secret_key.with_suffix(".pub"), "-s", secret_key]
    subprocess.run(tool, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return Signer(secret_key, target)


def with_key_id_of(trusted: str, forged: str) -> str:
    """The forged signature, wearing the key id of the trusted one (bytes 2 to 10 of the second line)."""
    lines = forged.splitlines()
    raw, worn = base64.b64decode(lines[1]), base64.b64decode(trusted.splitlines()[1])[2:10]
    lines[1] = base64.b64encode(raw[:2] + worn + raw[10:]).decode()
    return "\n".join(lines) + "\n"


def stub(version_line: str, footprint: Path, size: int = STUB_BYTES) -> bytes:
    """A program that answers --version as told and leaves a footprint, so that a test sees whether it was ever run."""
    program = f"#!/bin/sh\n: > '{footprint}'\necho '{version_line}'\nexit 0\n# {secrets.token_hex(16)} "
    return program.encode().ljust(size, b"#")
