#!/usr/bin/env python3
"""How soon an executor that waits hears of an upgrade, and what a thousand of them cost the control plane.

    benches/long_poll.py --control-plane PROGRAM --agent PROGRAM --secret-key FILE

It starts both programs by itself, on loopback. Between them stands a relay that notes when an offer passes, so the figure of
the agent is that of the real program; `minisign` signs a release that every agent refuses before anything is swapped.
"""

import argparse
import functools
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from figures import row, spread

SYNC = "/api/v1/syncExecutor"


class ControlPlane:
    def __init__(self, program, folder):
        environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder / "data"), "PORT": "0", "LOG_FORMAT": "text"}
        self.log = open(folder / "control-plane.log", "wb")
        self.process = subprocess.Popen([program, "serve"], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.token = self.address = None
        while self.address is None:
            line = self.process.stdout.readline()
            if not line:
                sys.exit("bench: the control plane does not start")
            if found := re.match(r"owner token \(shown once\): (\S+)", line):
                self.token = found[1]
            if found := re.match(r"listening on http://(\S+):(\d+)", line):
                self.address = (found[1], int(found[2]))

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            sys.exit(f"bench: {method} {path} was answered {answer.status}: {text.decode()}")
        return text if path == "/metrics" else json.loads(text or "null")

    def key(self, name):
        return self.ask("POST", "/api/v1/executor-keys", {"name": name})["secret"]

    def executor(self, name):
        return self.ask("GET", f"/api/v1/executors?name={name}")["items"][0]

    def waiting(self):
        return int(re.search(rb"^novacula_long_polls (\d+)", self.ask("GET", "/metrics"), re.M)[1])

    def until_waiting(self, count, seconds=60):
        until("so many wait", lambda: self.waiting() == count, seconds)

    def resident_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def publish(self, folder, secret_key, version, target, text):
        artifact = folder / "artifact"
        artifact.write_bytes(text)
        comment = f"kind:agent version:{version} target:{target}"
        subprocess.run(["minisign", "-S", "-s", secret_key, "-t", comment, "-x", f"{artifact}.minisig", "-m", artifact],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        parts = [("kind", b"agent"), ("version", version.encode()),
                 ("signature", Path(f"{artifact}.minisig").read_bytes()), ("artifact", text)]
        form = b"".join(
            f'--XYZ\r\nContent-Disposition: form-data; name="{name}"'.encode()
            + (b'; filename="agent"' if name == "artifact" else b"") + b"\r\n\r\n" + value + b"\r\n"
            for name, value in parts) + b"--XYZ--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=XYZ"}
        draft = self.ask("POST", "/api/v1/releases", form, kind)
        self.ask("PATCH", f"/api/v1/releases/{draft['id']}", {"status": "published"})

    def request(self, executor_id, version):
        return self.ask("POST", f"/api/v1/executors/{executor_id}/upgrade", {"targetVersion": version})

    def end(self):
        self.process.terminate()
        began = time.perf_counter()
        self.process.wait(30)
        return time.perf_counter() - began


class Relay:
    """Passes bytes between an agent and the control plane, and notes when an offer passes."""

    def __init__(self, address):
        self.address, self.offered, self.syncs = address, threading.Event(), 0
        self.at = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            here, _ = self.listener.accept()
            there = socket.create_connection(self.address)
            for sock in (here, there):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pass_on, args=(here, there, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(there, here, True), daemon=True).start()

    def pass_on(self, source, sink, is_answer):
        try:
            while data := source.recv(65536):
                if is_answer and b'"pendingUpgrade":{' in data and not self.offered.is_set():
                    self.at = time.perf_counter()
                    self.offered.set()
                self.syncs += not is_answer and data.count(SYNC.encode())
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            sock.close()


def until(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"bench: it must become true that {what}")
        time.sleep(0.01)


def said(name, target):
    return json.dumps({"name": name, "kind": "agent", "currentVersion": "0.1.0", "target": target}).encode()


def sync_bytes(key, body, prefer=None):
    lines = [f"POST {SYNC} HTTP/1.1", "Host: bench", f"Authorization: Bearer {key}", "Content-Type: application/json",
             f"Content-Length: {len(body)}"] + ([f"Prefer: wait={prefer}"] if prefer else [])
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_answer(sock):
    data = b""
    while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < length_of(data):
        more = sock.recv(65536)
        if not more:
            break
        data += more
    return data


def length_of(data):
    found = re.search(rb"content-length: (\d+)", data, re.I)
    return int(found[1]) if found else 0


def raw(plane, rounds, target, figures):
    key = plane.key("raw")
    sock = socket.create_connection(plane.address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(sync_bytes(key, said("raw", target)))
    read_answer(sock)
    executor = plane.executor("raw")["id"]
    took = []
    for _ in range(rounds):
        sock.sendall(sync_bytes(key, said("raw", target), 25))
        plane.until_waiting(1)
        heard = []
        thread = threading.Thread(target=lambda: heard.append((read_answer(sock), time.perf_counter())))
        thread.start()
        began = time.perf_counter()
        upgrade = plane.request(executor, "0.1.1")
        thread.join(30)
        answer, at = heard[0]
        if b"preference-applied: wait=25" not in answer.lower() or b'"pendingUpgrade":{' not in answer:
            sys.exit(f"bench: this is not the answer that was waited for: {answer!r}")
        took.append((at - began) * 1_000)
        plane.ask("POST", f"/api/v1/upgrades/{upgrade['id']}/abandon", {"reason": "bench"})
    row(figures, "request to pickup, raw", f"{statistics.median(took):.1f} ms", "< 100 ms", max(took) < 100,
        [spread(took, "ms", 1)], {"rounds_ms": took})
    sock.close()
    until("nobody waits", lambda: plane.waiting() == 0)


def real(plane, program, folder, publish, rounds, figures, long_poll_ms):
    name = f"agent-{long_poll_ms}"
    relay = Relay(plane.address)
    binary = folder / name / "novacula-agent"
    binary.parent.mkdir()
    binary.write_bytes(Path(program).read_bytes())
    binary.chmod(0o755)
    config = folder / f"{name}.toml"
    config.write_text(f'[agent]\nname = "{name}"\ndata_dir = "{folder}/{name}-data"\nlong_poll_ms = {long_poll_ms}\n'
                      f'[control_plane]\nurl = "http://127.0.0.1:{relay.port}"\naccess_token = "{plane.key(name)}"\n')
    config.chmod(0o600)
    log = open(folder / f"{name}.log", "wb")
    agent = subprocess.Popen([binary, "run", "--config", config], env={"PATH": os.environ["PATH"]},
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until("the agent is there", lambda: plane.ask("GET", f"/api/v1/executors?name={name}")["items"])
        executor, took = plane.executor(name)["id"], []
        publish(plane.executor(name)["target"])
        for _ in range(rounds):
            if long_poll_ms:
                plane.until_waiting(1)
            else:
                # What it told of the last one is told, and it sleeps.
                time.sleep(12)
            relay.offered.clear()
            began = time.perf_counter()
            upgrade = plane.request(executor, "0.1.2")["id"]
            relay.offered.wait(60)
            took.append((relay.at - began) * 1_000)
            until("it is refused", lambda: plane.ask("GET", f"/api/v1/upgrades/{upgrade}")["state"] == "error")
        title = "request to pickup, agent" if long_poll_ms else "the same with plain syncs"
        budget, within = ("< 100 ms", max(took) < 100) if long_poll_ms else ("", None)
        row(figures, title, f"{statistics.median(took):.1f} ms", budget, within, [spread(took, "ms", 1)],
            {"rounds_ms": took})
        if long_poll_ms:
            plane.until_waiting(1)
        time.sleep(10)
        relay.syncs, began = 0, time.perf_counter()
        time.sleep(30)
        each = relay.syncs / (time.perf_counter() - began)
        row(figures, "syncs a minute while idle", f"{each * 60:.1f}", "", None, [], {"long_poll_ms": long_poll_ms})
        began = time.perf_counter()
        agent.terminate()
        agent.wait(30)
        ended = (time.perf_counter() - began) * 1_000
        row(figures, "SIGTERM to its end", f"{ended:.0f} ms", "", None, [], {"long_poll_ms": long_poll_ms})
        until("who is gone does not wait", lambda: plane.waiting() == 0)
    finally:
        agent.kill()
        agent.wait()


def many(plane, count, target, figures):
    keys = [plane.key(f"many-{n}") for n in range(count)]
    bodies = [said(f"many-{n}", target) for n in range(count)]
    before = plane.resident_kib()
    socks = []
    for key, body in zip(keys, bodies):
        socks.append(socket.create_connection(plane.address))
        socks[-1].sendall(sync_bytes(key, body))
        read_answer(socks[-1])
    idle = plane.resident_kib()
    for sock, key, body in zip(socks, keys, bodies):
        sock.sendall(sync_bytes(key, body, 60))
    plane.until_waiting(count)
    waiting = plane.resident_kib()
    each = (waiting - idle) * 1024 / count
    row(figures, f"memory of {count} that wait", f"{(waiting - idle) / 1024:.1f} MiB", "", None,
        [f"{each:,.0f} bytes each, beside {(idle - before) * 1024 / count:,.0f} of the executor and its open connection"],
        {"before_kib": before, "idle_kib": idle, "waiting_kib": waiting})
    ended = plane.end()
    answered = sum(b"200 OK" in read_answer(sock) for sock in socks)
    row(figures, "end with all of them waiting", f"{ended:.2f} s", "", None, [f"{answered} of {count} were answered"], {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control-plane", required=True)
    parser.add_argument("--agent", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--waiting", type=int, default=1_000)
    asked = parser.parse_args()
    figures, target = {}, "x86_64-unknown-linux-musl"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        plane = ControlPlane(asked.control_plane, folder)
        try:
            text = b"#!/bin/sh\necho this is no agent\n"
            plane.publish(folder, asked.secret_key, "0.1.1", target, text)
            raw(plane, asked.rounds, target, figures)
            publish = functools.cache(lambda of: plane.publish(folder, asked.secret_key, "0.1.2", of, text))
            real(plane, asked.agent, folder, publish, max(asked.rounds // 2, 1), figures, 25_000)
            real(plane, asked.agent, folder, publish, 5, figures, 0)
            many(plane, asked.waiting, target, figures)
        finally:
            plane.process.kill()
            plane.process.wait()
    print(json.dumps(figures), file=sys.stderr)


if __name__ == "__main__":
    main()
