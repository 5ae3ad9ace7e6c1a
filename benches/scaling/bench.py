"""What every part needs: where things are, seeded databases, and one run of the load."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import fleet
from figures import progress, row

from .postgres import Postgres
from .programs import ControlPlane, Nginx, begin

PAUSE_S = 0.3
# That an upgrade is picked up is kept one after the other: more at once would only wait for each other.
GREETERS = 64


class Bench:
    """One `make bench-scale`."""

    def __init__(self, asked, folder):
        self.asked, self.folder, self.figures, self.runs = asked, Path(folder), {}, []
        self.part, self.cores, self.counter = "", os.cpu_count(), 0
        self.seeds, self._postgres = {}, None

    # Where things are.

    def free_port(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            return listening.getsockname()[1]

    def place(self, name, in_memory=False):
        self.counter += 1
        beside = Path("/dev/shm") / self.folder.name if in_memory else self.folder
        return beside / f"{self.counter:03}-{name}"

    @property
    def postgres(self):
        if self._postgres is None:
            self._postgres = Postgres(self.folder / "postgres", self.free_port())
        return self._postgres

    def knows_postgres(self):
        """Whether this control plane does."""
        said = subprocess.run([self.asked.control_plane, "serve", "--help"], capture_output=True, text=True).stdout
        return "postgres" in said.lower()

    def engines(self):
        wanted = [engine for engine in self.asked.engines.split(",") if engine]
        return [engine for engine in wanted if engine != "postgres" or self.knows_postgres()]

    def nginx(self):
        return Nginx(self.place("nginx"), self.free_port())

    # Databases.

    def seeded(self, engine, executors, in_upgrade=0, advancing=0):
        """A folder, and for PostgreSQL a database, with so many executors in it, to copy from."""
        key = (engine, executors, in_upgrade, advancing)
        if key in self.seeds:
            return self.seeds[key]
        progress(f"seeding {executors:,} executors, {engine}")
        folder = self.place(f"seed-{engine}-{executors}")
        folder.mkdir(parents=True)
        name, url = None, None
        if engine == "postgres":
            name = f"seed_{self.counter}"
            self.postgres.make(name)
            url = self.postgres.url(name)
        # It makes the schema, its account and its owner itself.
        ControlPlane(self.asked.control_plane, folder, url).end()
        if executors:
            fleet.seed(url or f"sqlite:{folder}/novacula.sqlite", executors, in_upgrade, advancing)
        self.seeds[key] = (folder, name)
        return self.seeds[key]

    def forget_seeds(self):
        """They are large, and each part has its own."""
        for folder, name in self.seeds.values():
            shutil.rmtree(folder)
            if name:
                self.postgres.drop(name)
        self.seeds = {}

    def control_plane(self, engine, executors, in_upgrade=0, advancing=0, **settings):
        """One that runs on a copy of such a database. `memory` is SQLite on a file system without a disk."""
        folder, name = self.seeded("postgres" if engine == "postgres" else "sqlite", executors, in_upgrade, advancing)
        place, url = self.place(engine, engine == "memory"), None
        shutil.copytree(folder, place)
        if name:
            copy = f"bench_{self.counter}"
            self.postgres.make(copy, name)
            url = self.postgres.url(copy)
        return ControlPlane(self.asked.control_plane, place, url, **settings)

    def done_with(self, server):
        """Ends it, and all it kept."""
        server.end()
        folder = getattr(server, "folder", None)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        url = getattr(server, "database_url", None)
        if url:
            self.postgres.drop(url.rpartition("/")[2])

    # Load.

    def load(self, label, servers, executors, connections=None, **asked):
        """One run; what it says, with the processor time of the servers."""
        command = [self.asked.load, "--targets", ",".join(server.address for server in servers),
                   "--executors", executors, "--connections", connections or self.asked.connections]
        asked.setdefault("threads", self.cores)
        for flag, value in asked.items():
            if value is not None:
                command += [f"--{flag.replace('_', '-')}", value]
        before = self.cpu_us(servers)
        wall = time.monotonic()
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              start_new_session=True, preexec_fn=begin)
        wall = time.monotonic() - wall
        if done.returncode not in (0, 1) or not done.stdout:
            sys.exit(f"bench: the load ended with {done.returncode}: {done.stderr}")
        said = json.loads(done.stdout)
        said["label"], said["part"], said["wallS"] = label, self.part, wall
        said["serverCpuUs"] = self.cpu_us(servers) - before
        answered = max(said["requests"], 1)
        said["serverUsPerSync"] = said["serverCpuUs"] / answered
        said["loadUsPerSync"] = said["ownCpuUs"] / answered
        self.runs.append(said)
        return said

    def cpu_us(self, servers):
        used = sum(server.cpu_us() for server in servers)
        # Their database works for them.
        if any(getattr(server, "database_url", None) for server in servers):
            used += self.postgres.cpu_us()
        return used

    def greet(self, server, executors, **asked):
        """Every executor syncs once, so that none is new to the memory."""
        return self.good(self.load("greeting", [server], executors, GREETERS, requests=executors, **asked))

    def good(self, said):
        if said["shed"]:
            print(f"      {said['label']}: there was no room for {said['shed']} syncs, which came again")
        if said["errors"]:
            sys.exit(f"bench: {said['label']}: {said['errors']} syncs were not answered well, the last with"
                     f" {said['lastBadStatus']}")
        return said

    def row(self, name, measured, budget, within, lines, raw):
        row(self.figures, f"({self.part}) {name}", measured, budget, within, lines, raw)


class Subject:
    """One of those that are compared: a server, and what is sent to it."""

    def __init__(self, label, server, executors, **load):
        self.label, self.server, self.executors, self.load, self.runs = label, server, executors, load, []
        self.said = 0

    def greet(self, bench):
        begins = {"said": 0, **self.load} if self.load.get("change") == "stage" else {}
        self.said = bench.greet(self.server, self.executors, **begins)["said"]

    def run(self, bench, **more):
        counted = {"said": self.said} if self.load.get("in_upgrade") or self.load.get("change") == "stage" else {}
        run = bench.good(bench.load(self.label, [self.server], self.executors, **self.load, **counted, **more))
        self.said = run["said"]
        return run

    def middle(self, what):
        return statistics.median(run[what] for run in self.runs)


def in_turns(bench, subjects, rounds, what, **more):
    """Every subject once a round; those that wait for their turn get no processor."""
    with all_at_rest(subjects):
        for subject in subjects:
            subject.runs = []
        for number in range(rounds):
            for subject in subjects:
                progress(f"({bench.part}) {what}: {subject.label}, round {number + 1} of {rounds}")
                with has_its_turn(subject):
                    subject.runs.append(subject.run(bench, **more))


@contextmanager
def all_at_rest(subjects):
    for subject in subjects:
        subject.server.rest()
    yield
    for subject in subjects:
        subject.server.go_on()
    progress("")


@contextmanager
def has_its_turn(subject):
    """One of those that are at rest."""
    subject.server.go_on()
    time.sleep(PAUSE_S)
    yield
    subject.server.rest()
