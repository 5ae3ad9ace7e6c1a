"""The words and shapes of sections 1 to 3 of the protocol: what a sync request must look like, field by field.

A shape is a function from a value and its place to the faults found there; no fault means that the contract is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

Shape = Callable[[object, str], list[str]]

STAGES = [
    "CONFIRM_START",
    "PREFLIGHT",
    "DOWNLOAD",
    "VERIFY",
    "SWAP",
    "RESTART",
    "CHECK_HEALTH",
    "CONFIRM_COMPLETION",
    "COMPLETED",
]
OTHER_ENDS = ["ROLLEDBACK", "ABANDONED", "FAILED"]
STATUSES = ["UNSTARTED", "UNDERWAY", "PAUSED", "COMPLETED", "ROLLEDBACK", "FAILED"]
LOG_LEVELS = ["INFO", "WARNING", "ERROR", "SUCCESS"]


def rank(stage: str) -> int:
    """The place of a stage in the order of the contract; every other end comes after all the rest."""
    return STAGES.index(stage) if stage in STAGES else len(STAGES)


def has_ended(report: dict) -> bool:
    """A failure may stand in the stage or in the status; a dry run ends COMPLETED at VERIFY."""
    dry_run_done = report.get("stage") == "VERIFY" and report.get("status") == "COMPLETED"
    return dry_run_done or report.get("status") == "FAILED" or report.get("stage") in ["COMPLETED", *OTHER_ENDS]


def parse_moment(value: str) -> datetime:
    """An RFC 3339 time in UTC. Python reads at most microseconds, so finer digits are cut off."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", value):
        raise ValueError(value)
    moment = datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", value))
    if moment.utcoffset() != timedelta(0):
        raise ValueError(value)
    return moment


def expect(what: str, holds: Callable[[object], bool]) -> Shape:
    return lambda value, place: [] if holds(value) else [f"{place} should be {what}, is {value!r:.80}"]


def is_moment(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(parse_moment(value))
    except ValueError:
        return False


def matching(what: str, pattern: str) -> Shape:
    return expect(what, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None)


def one_of(words: Iterable[str]) -> Shape:
    return expect(f"one of {', '.join(words)}", lambda value: value in words)


def nullable(shape: Shape) -> Shape:
    return lambda value, place: [] if value is None else shape(value, place)


def each(shape: Shape) -> Shape:
    def faults(value: object, place: str) -> list[str]:
        if not isinstance(value, list):
            return [f"{place} should be a list, is {value!r:.80}"]
        return [fault for number, item in enumerate(value) for fault in shape(item, f"{place}[{number}]")]

    return faults


def record(**fields: Shape) -> Shape:
    """An object with exactly these fields: what is missing is a fault, and so is a surprise."""

    def faults(value: object, place: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place} should be an object, is {value!r:.80}"]
        missing = [f"{place}.{name} is missing" for name in fields if name not in value]
        surprises = [f"{place}.{name} is not in the contract" for name in value if name not in fields]
        present = [name for name in fields if name in value]
        wrong = [fault for name in present for fault in fields[name](value[name], f"{place}.{name}")]
        return missing + surprises + wrong

    return faults


TEXT = expect("a string", lambda value: isinstance(value, str))
SOME_TEXT = matching("a string that is not empty", r"(?s).+")
FLAG = expect("true or false", lambda value: isinstance(value, bool))
WHOLE = expect("an integer from 0 on", lambda value: type(value) is int and value >= 0)
POSITIVE = expect("an integer from 1 on", lambda value: type(value) is int and value >= 1)
MOMENT = expect("an RFC 3339 time in UTC", is_moment)
VERSION = matching("a version", r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
LABELS = expect(
    "an object of strings",
    lambda value: isinstance(value, dict) and all(isinstance(label, str) for label in value.values()),
)

UPGRADE_FIELDS = {
    "upgradeId": SOME_TEXT,
    "attempt": POSITIVE,
    "stage": one_of([*STAGES, *OTHER_ENDS]),
    "status": one_of(STATUSES),
    "bytesDone": WHOLE,
    "bytesTotal": WHOLE,
    "error": nullable(
        record(
            code=matching("a snake_case code", r"[a-z][a-z0-9]*(_[a-z0-9]+)*"),
            stage=one_of([*STAGES, *OTHER_ENDS]),
            message=SOME_TEXT,
            timestamp=MOMENT,
        )
    ),
    "log": each(record(at=MOMENT, level=one_of(LOG_LEVELS), message=SOME_TEXT)),
}

SYNC_FIELDS = {
    "name": SOME_TEXT,
    "kind": one_of(["agent", "operator"]),
    "currentVersion": VERSION,
    "channel": SOME_TEXT,
    "target": SOME_TEXT,
    "labels": LABELS,
    "bootId": SOME_TEXT,
    "startedAt": MOMENT,
    "restarts": WHOLE,
    "held": nullable(record(reason=TEXT, until=nullable(MOMENT))),
    "upgrade": nullable(record(**UPGRADE_FIELDS)),
    "preflight": each(record(check=SOME_TEXT, ok=FLAG, note=TEXT)),
    "trustedKeys": each(matching("a key id as minisign prints it", r"[0-9A-F]{16}")),
}

sync_faults = record(**SYNC_FIELDS)
