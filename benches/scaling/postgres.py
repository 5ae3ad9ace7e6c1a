"""A real PostgreSQL from the packages of the system: a cluster of our own, durable as it comes."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from .programs import Program

OLDEST = 15


def folder_of_programs():
    """Where initdb is; Debian keeps it out of the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    versions = [path for path in versions if int(path.parent.name) >= OLDEST and (path / "initdb").exists()]
    if not versions:
        sys.exit(f"bench: PostgreSQL {OLDEST} or newer is missing; on Debian: apt-get install postgresql")
    return max(versions, key=lambda path: int(path.parent.name))


class Postgres(Program):
    def __init__(self, folder, port):
        programs, self.port, self.folder = folder_of_programs(), port, Path(folder)
        # It refuses to run as root.
        user = "postgres" if os.getuid() == 0 else None
        self.folder.mkdir(parents=True)
        if user:
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        data = self.folder / "data"
        who = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        made = subprocess.run([programs / "initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust",
                               "--encoding", "UTF8", "--locale", "C"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", **who)
        if made.returncode != 0:
            sys.exit(f"bench: initdb fails: {made.stderr}")
        # What a log entry is durable by stays as it comes: fsync and synchronous_commit are on.
        settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={self.folder}"]
        command = [programs / "postgres", "-D", data, *(word for one in settings for word in ("-c", one))]
        super().__init__(command, self.folder.with_suffix(".log"), user=user)
        self.wait_until("PostgreSQL must answer", self.answers)
        version = self.psql("postgres", "SHOW server_version")
        self.version = f"PostgreSQL {version}, fsync {self.psql('postgres', 'SHOW fsync')}"

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def answers(self):
        done = subprocess.run(["psql", self.url("postgres"), "-X", "-c", "SELECT 1"], capture_output=True)
        return done.returncode == 0

    def psql(self, database, command):
        done = subprocess.run(["psql", self.url(database), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bench: psql refuses `{command[:100]}`: {done.stderr.strip()}")
        return done.stdout.strip()

    def make(self, database, like=None):
        self.psql("postgres", f"CREATE DATABASE {database}" + (f" TEMPLATE {like}" if like else ""))

    def drop(self, database):
        self.psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def end(self, how=signal.SIGINT):
        # A fast end: it waits for no client.
        super().end(how)
