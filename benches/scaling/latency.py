"""(f): from the request of an upgrade until the new binary stands in place of the old one, on a real host with a real
systemd; with the plain poll of five seconds, and with a sync that waits."""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from control_plane import ControlPlane as People, wait_for
from figures import progress, shell, spread

ROUNDS, PICK_UP_MS, POLL_S = 8, 100, 5
BINARY, UNIT = "/opt/novacula/bin/novacula-agent", "novacula-agent.service"
NAME, WAITING = "host", "novacula_long_polls"
WAYS = {"plain poll": "", "long poll": "long_poll_ms = 25000\n"}


def latency(bench):
    if os.getuid() != 0 or not bench.asked.bench_parts:
        bench.row("from a request to the swap", "not run", "", None, ["it takes root, and --bench-parts"], {})
        return
    progress(f"({bench.part}) building two versions of the agent")
    own = bench.asked.version
    later = ".".join(own.split(".")[:2] + [str(int(own.split(".")[2].partition("-")[0]) + 1)])
    said = subprocess.run([bench.asked.bench_parts, "agents", own, later, "0.0.0"], capture_output=True, text=True)
    if said.returncode != 0:
        sys.exit(f"bench: the agents cannot be built: {said.stderr[-2000:]}")
    parts = dict(line.split(" ", 1) for line in said.stdout.splitlines())
    taken = {}
    for way, setting in WAYS.items():
        server = bench.control_plane("sqlite", 0)
        host = Host(bench, server, parts, {own: parts["old"], later: parts["new"]}, setting)
        try:
            if host.is_refused():
                bench.row(f"from a request to the swap, {way}", "not run", "", None, ["this agent does not know it"], {})
                continue
            there = [own, later]
            taken[way] = []
            for number in range(ROUNDS):
                progress(f"({bench.part}) {way}, upgrade {number + 1} of {ROUNDS}")
                taken[way].append(host.upgrade(*there, random.Random(number).random()))
                there.reverse()
        finally:
            host.end()
            bench.done_with(server)
    progress("")
    for way, rounds in taken.items():
        pick_up, swap = [one["pickUpMs"] for one in rounds], [one["swapMs"] for one in rounds]
        middle = statistics.median(pick_up)
        is_long = way != "plain poll"
        bench.row(f"from a request to the swap, {way}", f"{statistics.median(swap):,.0f} ms", "", None,
                  [spread(swap, "ms", 0)], {"rounds": rounds})
        bench.row(f"from a request to the pick-up, {way}", f"{middle:,.0f} ms", f"≤ {PICK_UP_MS} ms" if is_long else "",
                  middle <= PICK_UP_MS if is_long else None, [spread(pick_up, "ms", 0)], {})


class Host:
    """A host of the laboratory with an agent that polls as it does by itself."""

    def __init__(self, bench, server, parts, releases, setting):
        self.keeper = subprocess.Popen([bench.asked.bench_parts, "host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True)
        words = self.keeper.stdout.readline().split()
        if words[:1] != ["host"]:
            self.end()
            sys.exit("bench: the host does not boot")
        self.init, self.root = words[1], Path(f"/proc/{words[1]}/root")
        self.server, self.waits = server, bool(setting)
        self.people = People(argparse.Namespace(
            origin=server.origin, token=server.token_file.read_text().strip(), target=parts["target"],
            secret_key=bench.asked.secret_key))
        for version, file in releases.items():
            self.people.publish(version, file, server.folder)
        self.put("/etc/hosts", b"127.0.0.1 localhost\n")
        self.put("/etc/novacula/agent.toml", f"""[agent]
name = "{NAME}"
{setting}[control_plane]
url = "{server.origin}"
allow_plain_http = true
access_token = "{self.people.key(NAME)}"
""".encode(), 0o600)
        self.put(BINARY, Path(parts["old"]).read_bytes(), 0o755)
        self.sh(f"{BINARY} install && systemctl daemon-reload; systemctl start {UNIT} || true")

    def put(self, path, content, mode=0o644):
        place = self.root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)

    def sh(self, command):
        return shell(f"nsenter --all --target {self.init} sh -c '{command}'")

    def is_refused(self):
        """An older agent does not take a setting that it does not know, and does not run."""
        return self.sh(f"systemctl is-active {UNIT} || true") != "active"

    def upgrade(self, running, version, moment):
        binary = self.root / BINARY[1:]
        if self.waits:
            wait_for("the executor must wait at its control plane", lambda: self.server.measure(WAITING) == 1 or None)
        executor = self.people.wait_for_version(NAME, running)
        # At any moment between two polls.
        time.sleep(POLL_S * (0.2 + moment))
        before, begun = binary.stat().st_ino, time.monotonic()
        upgrade = self.people.order(executor, version)
        fetching_ms = None
        while binary.stat().st_ino == before:
            # It fetches to a file beside its binary.
            if fetching_ms is None and any(binary.parent.glob(".novacula-agent.*.part")):
                fetching_ms = (time.monotonic() - begun) * 1000
            if time.monotonic() > begun + 60:
                sys.exit(f"bench: the upgrade to {version} must swap, it did not within 60 s")
            time.sleep(0.001)
        swapped_ms = (time.monotonic() - begun) * 1000
        seen = self.people.end_of(upgrade)
        if seen["stage"] != "COMPLETED":
            sys.exit(f"bench: the upgrade to {version} must succeed, it is {seen['stage']}: {seen['error']}")
        # The pick-up was before all that is seen of it: the report that the control plane has of it, the first byte that
        # is fetched, and the swap.
        reported_ms = ms(seen["startedAt"]) - ms(seen["createdAt"])
        pick_up_ms = min(swapped_ms, reported_ms, swapped_ms if fetching_ms is None else fetching_ms)
        return {"swapMs": swapped_ms, "reportedMs": reported_ms, "fetchingMs": fetching_ms, "pickUpMs": pick_up_ms}

    def end(self):
        self.keeper.stdin.close()
        try:
            self.keeper.wait(20)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()


def ms(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000
