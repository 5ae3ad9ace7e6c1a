"""Puts many executors, each with its own key, straight into the database of a control plane that does not run: as if each
had synced before, so that it can sync again and say nothing new. Who they are follows from their numbers alone; the load
(crates/lab/src/bin/load) makes the same names, keys and reports from them.

    python3 benches/fleet.py --database sqlite:PATH --executors 1000
    python3 benches/fleet.py --database postgres://… --executors 100000 --in-upgrade 10
"""

import argparse
import csv
import hashlib
import io
import json
import sqlite3
import subprocess
import sys
import time

VERSION, NEXT, TARGET = "1.0.0", "1.1.0", "x86_64-unknown-linux-musl"
TRUSTED_KEYS = json.dumps(["0123456789ABCDEF", "FEDCBA9876543210"], separators=(",", ":"))
IN_A_RACK = 40
# Between two executors that were made one after the other, as by a rollout that took a while.
APART_MS = 10
AT_ONCE = 20_000
# 2026-01-01: the same executor has the same id in every database.
BEGIN_MS = 1_767_225_600_000
# Long enough for every run.
YEAR_MS = 365 * 24 * 3_600_000


def name(number):
    return f"executor-{number:08}"


def secret(number):
    return f"nva_{0x5eed:056x}{number:08}"


def executor_id(number):
    return uuid7(BEGIN_MS + number * APART_MS, hashlib.sha256(secret(number).encode()).hexdigest()[32:])


def upgrade_id(number):
    return f"019a0000-0000-7000-8000-0000{number:08}"


def uuid7(at_ms, tail):
    text = f"{at_ms:012x}7{tail[:3]}{'89ab'[int(tail[3], 16) % 4]}{tail[4:19]}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_upgrading(number, in_upgrade, advancing):
    """As `Roles::of` of the load: the first of a hundred report progress, the last advance."""
    return number % 100 < in_upgrade or number % 100 >= 100 - advancing


def rows(account, first, end, in_upgrade, advancing, now):
    """Rows of some executors, by table, in the order in which they refer to one another."""
    keys, executors, presence, revisions, upgrades = [], [], [], [], []
    for number in range(first, end):
        digest = hashlib.sha256(secret(number).encode())
        tail, made = digest.hexdigest(), BEGIN_MS + number * APART_MS
        key, executor = uuid7(made, tail[:32]), executor_id(number)
        keys.append({"id": key, "account_id": account, "hash": digest.digest(), "bound_name": name(number),
                     "created_by": "bench", "created_at": made})
        labels = {"env": "production", "rack": f"r{number // IN_A_RACK:06}", "region": "eu-west-1",
                  "said": "0" * 13}
        executors.append({
            "id": executor, "account_id": account, "key_id": key, "revision": 1, "name": name(number), "kind": "agent",
            "current_version": VERSION, "channel": "stable", "target": TARGET,
            "labels": json.dumps(labels, separators=(",", ":")), "created_at": made, "checks": "[]", "trusted_keys": TRUSTED_KEYS})
        presence.append({"executor_id": executor, "last_seen_at": now, "restarts": 0})
        revisions.append({
            "executor_id": executor, "revision": 1, "version": VERSION, "status": "COMPLETED",
            "description": "first seen", "by": f"executor {name(number)}", "at": made})
        if is_upgrading(number, in_upgrade, advancing):
            upgrades.append({
                "id": upgrade_id(number), "account_id": account, "executor_id": executor,
                "executor_name": name(number), "kind": "agent", "type": "agent", "from_version": VERSION,
                "target_version": NEXT, "direction": "upgrade", "confirm": "auto", "confirm_start": "auto",
                "intent": "apply", "attempt": 1, "health_window_ms": 60_000, "stage": "CONFIRM_START",
                "status": "UNSTARTED", "ended_by_server": 0, "bytes_done": 0, "bytes_total": 0, "description": "",
                "requested_by": "bench", "created_at": now, "scheduled_at": now, "expires_at": now + YEAR_MS,
                "offered_at": now, "target": TARGET, "size": 999_999_999, "sha256": tail, "forced": 0,
                "signature": "untrusted comment: a signature of this length\n" + "R" * 100 + "\n"})
    return {"executor_keys": keys, "executors": executors, "presence": presence, "revisions": revisions,
            "upgrades": upgrades}


class Sqlite:
    def __init__(self, path):
        self.sql = sqlite3.connect(path)
        # Whatever happens meanwhile, whoever seeds begins anew; the control plane opens it as it always does.
        self.sql.execute("PRAGMA synchronous = OFF")

    def one(self, query):
        return self.sql.execute(query).fetchone()[0]

    def add(self, table, found):
        columns = list(found[0])
        names, marks = ", ".join(f'"{column}"' for column in columns), ", ".join("?" * len(columns))
        self.sql.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})",
                             ([row[column] for column in columns] for row in found))

    def end(self):
        self.sql.commit()
        self.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.sql.close()


class Postgres:
    def __init__(self, url):
        self.url, self.booleans = url, {}

    def psql(self, command, stdin=""):
        done = subprocess.run(["psql", self.url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command],
                              input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"bench: psql refuses `{command[:100]}`: {done.stderr.strip()}")
        return done.stdout.strip()

    def one(self, query):
        return self.psql(query)

    def add(self, table, found):
        if table not in self.booleans:
            said = self.psql("SELECT column_name FROM information_schema.columns"
                             f" WHERE table_name = '{table}' AND data_type = 'boolean'")
            self.booleans[table] = set(said.split())
        columns, text = list(found[0]), io.StringIO()
        rows = csv.writer(text)
        for row in found:
            rows.writerow([self.written(row[column], column in self.booleans[table]) for column in columns])
        names = ", ".join(f'"{column}"' for column in columns)
        self.psql(f"COPY {table} ({names}) FROM STDIN (FORMAT csv, NULL '-')", text.getvalue())

    @staticmethod
    def written(value, is_boolean):
        if isinstance(value, bytes):
            return "\\x" + value.hex()
        return bool(value) if is_boolean else value

    def end(self):
        self.psql("ANALYZE")


def open_database(url):
    if url.startswith("sqlite:"):
        return Sqlite(url.removeprefix("sqlite:"))
    if url.startswith(("postgres:", "postgresql:")):
        return Postgres(url)
    sys.exit(f"bench: a database is sqlite:PATH or postgres://…, not {url}")


def seed(url, count, in_upgrade=0, advancing=0):
    database, now = open_database(url), time.time_ns() // 1_000_000
    account = database.one("SELECT id FROM accounts ORDER BY id LIMIT 1")
    for first in range(0, count, AT_ONCE):
        for table, found in rows(account, first, min(count, first + AT_ONCE), in_upgrade, advancing, now).items():
            if found:
                database.add(table, found)
    database.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--executors", type=int, required=True)
    parser.add_argument("--in-upgrade", type=int, default=0, help="how many of 100 have an upgrade they report on")
    parser.add_argument("--advancing", type=int, default=0,
                        help="how many of 100 have one for the load's --change stage")
    asked = parser.parse_args()
    begun = time.monotonic()
    seed(asked.database, asked.executors, asked.in_upgrade, asked.advancing)
    print(f"{asked.executors} executors in {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
