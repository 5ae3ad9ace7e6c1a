"""How soon a person sees the executors of a large fleet: the first byte of the console's list, of the real program with its
embedded database."""

import http.client
import json
import re
import shlex
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from figures import progress, row

# The budget, which the slowest of a hundred keeps too.
FIRST_BYTE_MS = 100.0

EXECUTORS, WORKERS = 10_000, 8
REQUESTS, WARM_UP = 50, 5

# The first page; one from the middle of the fleet; and the one for which every executor is looked at.
PAGES = (
    ("first page", "/executors/"),
    ("page in the middle", f"/executors/?cursor={'host-05000'.encode().hex()}"),
    ("search for one", "/executors/?search=HOST-09999"),
)


def console(asked, figures):
    control_plane = ControlPlane(asked)
    try:
        control_plane.fill()
        for name, path in PAGES:
            first_byte(control_plane, name, path, figures)
    finally:
        control_plane.end()


def first_byte(control_plane, name, path, figures):
    """A connection of its own for each, as somebody who comes from elsewhere has it."""
    took, size = [], 0
    for done in range(-WARM_UP, REQUESTS):
        start = time.perf_counter()
        with socket.create_connection(control_plane.address) as connection:
            connection.sendall(control_plane.request(path))
            answer = connection.recv(1)
            elapsed = (time.perf_counter() - start) * 1_000
            while more := connection.recv(1 << 16):
                answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        # A page without its rows would be fast.
        rows = body.count(b'name="id"')
        expected = 1 if "search" in path else 50
        if not head.startswith(b"HTTP/1.1 200") or rows != expected:
            sys.exit(f"bench: {path} must have {expected} rows, it has {rows}: {head.decode()}")
        if done >= 0:
            took.append(elapsed)
            size = len(body)
    median, slowest = statistics.median(took), statistics.quantiles(took, n=100, method="inclusive")[98]
    lines = [
        f"GET {path}, {EXECUTORS:,} executors, {REQUESTS} requests one after the other, connecting included",
        f"median {median:.1f} ms, p99 {slowest:.1f} ms ({min(took):.1f} to {max(took):.1f}); {size:,} bytes of HTML",
    ]
    row(figures, f"console, {name}", f"{slowest:.1f} ms, {size // 1_000} kB", f"≤ {FIRST_BYTE_MS:.0f} ms",
        slowest <= FIRST_BYTE_MS, lines, {"ms": took, "bytes": size, "executors": EXECUTORS})


class ControlPlane:
    """One of its own: a fleet would weigh on what else is measured."""

    def __init__(self, asked):
        data = Path(asked.bench).resolve() / "console"
        data.mkdir()
        environment = {"DATA_DIR": str(data), "PORT": "0", "HEARTBEAT_TIMEOUT_MS": "600000"}
        self.log = (data / "log").open("w")
        self.process = subprocess.Popen([asked.control_plane, "serve"], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        said = ""
        while not (found := re.search(r"listening on (\S+)", said)):
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"bench: `{shlex.join(self.process.args)}` does not start: {said}")
            said += line
        self.token = re.search(r"owner token \(shown once\): (\S+)", said).group(1)
        self.address = urlsplit(found.group(1)).hostname, urlsplit(found.group(1)).port

    def fill(self):
        """A fleet that has enrolled and synced over HTTP, as hosts do."""
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
        person = self.connect()
        secret = post(person, "enrolment-tokens", self.token, {"maxUses": EXECUTORS, "expiresAt": expires})["secret"]
        for ring in ("canary", "standard"):
            group = {"name": ring, "selector": {"matchLabels": {"ring": ring}}}
            post(person, "fleet/groups", self.token, group)
        failed = []

        def work(worker):
            try:
                connection = self.connect()
                for number in range(worker, EXECUTORS, WORKERS):
                    self.introduce(connection, secret, number)
                    if worker == 0:
                        progress(f"{number + 1:,} of {EXECUTORS:,} executors")
            except BaseException as e:
                failed.append(e)
        workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        progress("")
        if failed:
            sys.exit(f"bench: the fleet cannot be made: {failed[0]}")

    def introduce(self, connection, secret, number):
        name = f"host-{number:05}"
        key = post(connection, "enroll", secret, {"name": name, "kind": "agent"})["accessToken"]
        post(connection, "syncExecutor", key, {
            "name": name, "kind": "agent", "currentVersion": f"1.{number % 7}.0", "target": "x86_64-unknown-linux-musl",
            "labels": {"ring": "canary" if number % 20 == 0 else "standard", "rack": f"r{number % 100}", "site": "berlin"},
            "held": {"reason": "the audit", "until": None} if number % 50 == 0 else None,
        })

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=60)

    def request(self, path):
        return (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
                "Accept: text/html\r\nConnection: close\r\n\r\n").encode()

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


def post(connection, path, bearer, body):
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{path} is refused: {said.decode(errors='replace')}")
    return json.loads(said)
