"""A control plane written from the protocol page alone: the side that executors talk to.

It is driven in-process: `offer` sets the pendingUpgrade, `serve` publishes an artifact, `answer_next` spoils an answer,
`syncs` and `fetches` hold everything that arrived, `wait` blocks until a sync satisfies a condition.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SYNC_PATH = "/api/v1/syncExecutor"
ENROLL_PATH = "/api/v1/enroll"
ARTIFACTS_PATH = "/api/v1/artifacts/"

SLOW_CHUNK = 4 * 1024
SLOW_PAUSE_SECONDS = 0.05
FAST_CHUNK = 256 * 1024
# An executor that never stops reading must not fill this machine.
ENDLESS_LIMIT = 256 * 1024 * 1024


@dataclass
class Artifact:
    """Bytes to be fetched. A slow one trickles until `hurry` is set, so that a test can act during a download."""

    body: bytes
    redirect_to: str | None = None
    endless: bool = False
    slow: bool = False

    def __post_init__(self) -> None:
        self.name = hashlib.sha256(self.body).hexdigest()
        self.hurry = threading.Event()
        if not self.slow:
            self.hurry.set()

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            fast = self.hurry.is_set() or self.hurry.wait(SLOW_PAUSE_SECONDS)
            stop = min(end, start + (FAST_CHUNK if fast else SLOW_CHUNK))
            yield self.body[start:stop]
            start = stop
        for _ in range(ENDLESS_LIMIT // FAST_CHUNK if self.endless else 0):
            yield bytes(FAST_CHUNK)


@dataclass(frozen=True)
class Reply:
    """One HTTP answer. With `cut_after` the connection drops after that many bytes of the body, at 0 without a word."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


@dataclass(frozen=True)
class Sync:
    """One request to syncExecutor as it arrived; `acknowledged` when it was answered by a proper 200."""

    at: float
    headers: Message
    body: object
    acknowledged: bool

    @property
    def upgrade(self) -> dict:
        """The report on an upgrade; empty without one, so that conditions read plainly."""
        report = self.body.get("upgrade") if isinstance(self.body, dict) else None
        return report if isinstance(report, dict) else {}


@dataclass
class Fetch:
    """One request for an artifact."""

    name: str
    authorization: str | None
    sent: int = 0


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_reply(status: int, value: object) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def error_reply(status: int, code: str, message: str) -> Reply:
    return json_reply(status, {"error": {"code": code, "message": message, "details": {}}})


NOTHING_HERE = error_reply(404, "not_found", "There is nothing at this address.")


class ControlPlane:
    """One control plane on a free port of 127.0.0.1. Without keys it is merely another origin, open to everybody."""

    def __init__(self, executor_key: str | None = None, enrolment_token: str | None = None) -> None:
        self.changed = threading.Condition()
        self.syncs: list[Sync] = []
        self.fetches: list[Fetch] = []
        self.enrolments: list[object] = []
        self.authorizations: list[str | None] = []
        self.clock_offset = timedelta(0)
        self.answer_fields: dict[str, object] = {}
        self.bound_names: dict[str, str | None] = {executor_key: None} if executor_key else {}
        self._kinds: dict[str, str] = {}
        self._enrolment_token = enrolment_token
        self._artifacts: dict[str, Artifact] = {}
        self._pending_upgrade: dict | None = None
        self._bad_answers: list[tuple[Callable[[object], bool], Reply]] = []
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.plane = self
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    # What a test does.

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, artifact: Artifact) -> str:
        self._artifacts[artifact.name] = artifact
        return f"{self.origin}{ARTIFACTS_PATH}{artifact.name}"

    def offer(self, spec: dict | None) -> int:
        """Sets the pendingUpgrade; returns the number of the first sync that is answered with it."""
        with self.changed:
            self._pending_upgrade = spec
            return len(self.syncs)

    def answer_next(self, reply: Reply, when: Callable[[object], bool] = lambda body: True) -> int:
        """Answers the next sync whose body satisfies `when` with `reply`; returns the number of the next sync."""
        with self.changed:
            self._bad_answers.append((when, reply))
            return len(self.syncs)

    def wait(self, condition: Callable[[Sync], bool], seconds: float, after: int = 0) -> Sync | None:
        """The first sync from number `after` on that satisfies the condition."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                found = next(filter(condition, self.syncs[after:]), None)
                remaining = deadline - time.monotonic()
                if found or remaining <= 0:
                    return found
                self.changed.wait(remaining)

    # What the server does.

    def key_shown(self, authorization: str | None) -> str | None:
        return next((key for key in self.bound_names if authorization == f"Bearer {key}"), None)

    def may_fetch(self, authorization: str | None) -> bool:
        return not self.bound_names or self.key_shown(authorization) is not None

    def artifact(self, path: str) -> Artifact | None:
        return self._artifacts.get(path.removeprefix(ARTIFACTS_PATH)) if path.startswith(ARTIFACTS_PATH) else None

    def receive_sync(self, headers: Message, body: object) -> Reply:
        with self.changed:
            bad = next((entry for entry in self._bad_answers if entry[0](body)), None)
            self._bad_answers = [entry for entry in self._bad_answers if entry is not bad]
            reply = bad[1] if bad else self._answer_sync(headers["Authorization"], body)
            self.syncs.append(Sync(time.monotonic(), headers, body, acknowledged=not bad and reply.status == 200))
            self.changed.notify_all()
            return reply

    def receive_enrolment(self, headers: Message, body: object) -> Reply:
        if not self._enrolment_token or headers["Authorization"] != f"Bearer {self._enrolment_token}":
            return error_reply(401, "invalid_api_key", "The enrolment token is unknown; ask for a new one.")
        if not isinstance(body, dict) or not body.get("name") or not body.get("kind"):
            return error_reply(400, "invalid_request", "An enrolment names the executor and its kind.")
        key = f"nva_{secrets.token_hex(16)}"
        with self.changed:
            self.enrolments.append(body)
            self.bound_names[key] = body["name"]
        return json_reply(200, {"accessToken": key})

    def _answer_sync(self, authorization: str | None, body: object) -> Reply:
        key = self.key_shown(authorization)
        if key is None:
            return error_reply(401, "invalid_api_key", "The executor key is unknown; check access_token.")
        if not isinstance(body, dict) or not isinstance(body.get("name"), str) or not isinstance(body.get("kind"), str):
            return error_reply(400, "invalid_request", "A sync is a JSON object with a name and a kind.")
        name = body["name"]
        if (self.bound_names[key] or name) != name:
            return error_reply(403, "key_bound", f"This key belongs to {self.bound_names[key]}, not to {name}.")
        if self._kinds.setdefault(name, body["kind"]) != body["kind"]:
            return error_reply(409, "kind_mismatch", f"{name} is an executor of kind {self._kinds[name]}.")
        self.bound_names[key] = name
        return json_reply(200, self.proper_answer())

    def proper_answer(self) -> dict:
        now = datetime.now(timezone.utc) + self.clock_offset
        answer = {"controlPlaneVersion": "1.5.0", "now": rfc3339(now), "support": "in-window", "syncIntervalMs": 1000}
        return answer | {"pendingUpgrade": self._pending_upgrade, "preflight": []} | self.answer_fields


class Server(ThreadingHTTPServer):
    daemon_threads = True
    plane: ControlPlane

    def handle_error(self, request: object, client_address: object) -> None:
        """An executor that hangs up (killed, paused, refusing to read on) is part of the scenarios, not news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.plane.authorizations.append(self.headers["Authorization"])
        artifact = self.server.plane.artifact(self.path)
        if self.path == "/healthz":
            self._answer(json_reply(200, {"status": "ok"}))
        elif artifact:
            self._answer_fetch(artifact)
        else:
            self._answer(NOTHING_HERE)

    def do_POST(self) -> None:
        plane, body = self.server.plane, self._json_body()
        plane.authorizations.append(self.headers["Authorization"])
        receive = {SYNC_PATH: plane.receive_sync, ENROLL_PATH: plane.receive_enrolment}.get(self.path)
        self._answer(receive(self.headers, body) if receive else NOTHING_HERE)

    def log_message(self, format: str, *args: object) -> None:
        """The scenarios speak for themselves."""

    def _json_body(self) -> object:
        raw = b"".join(self._raw_body())
        try:
            return json.loads(raw)
        except ValueError:
            return raw.decode(errors="replace")

    def _raw_body(self) -> Iterator[bytes]:
        if self.headers["Transfer-Encoding"] != "chunked":
            yield self.rfile.read(int(self.headers["Content-Length"] or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, reply: Reply) -> None:
        self.close_connection = self.close_connection or reply.cut_after is not None
        if reply.cut_after == 0:
            return
        with suppress(ConnectionError):
            self._send_head(reply.status, reply.headers | {"Content-Length": str(len(reply.body))})
            self.wfile.write(reply.body[: reply.cut_after])

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer_fetch(self, artifact: Artifact) -> None:
        fetch = Fetch(artifact.name, self.headers["Authorization"])
        self.server.plane.fetches.append(fetch)
        if not self.server.plane.may_fetch(fetch.authorization):
            return self._answer(error_reply(401, "invalid_api_key", "Artifacts here want the executor key."))
        if artifact.redirect_to:
            return self._answer(Reply(302, headers={"Location": artifact.redirect_to}))
        total, (start, end) = len(artifact.body), self._wanted_range(artifact)
        if start >= end:
            return self._answer(Reply(416, headers={"Content-Range": f"bytes */{total}"}))
        headers = {"Content-Type": "application/octet-stream", "ETag": f'"{artifact.name}"', "Accept-Ranges": "bytes"}
        # Without a length only the executor's own count of bytes can end an endless stream.
        headers |= {"Connection": "close"} if artifact.endless else {"Content-Length": str(end - start)}
        partial = {"Content-Range": f"bytes {start}-{end - 1}/{total}"} if end - start < total else {}
        self._send_head(206 if partial else 200, headers | partial)
        for chunk in artifact.chunks(start, end):
            self.wfile.write(chunk)
            fetch.sent += len(chunk)

    def _wanted_range(self, artifact: Artifact) -> tuple[int, int]:
        total = len(artifact.body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if not wanted or self.headers["If-Range"] not in (None, f'"{artifact.name}"'):
            return 0, total
        return int(wanted[1]), min(total, int(wanted[2] or total - 1) + 1)
