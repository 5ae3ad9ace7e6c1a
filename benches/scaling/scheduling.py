"""How the kernel deals the processors out while something is measured."""

import sys
from contextlib import contextmanager
from pathlib import Path

BY_SESSION = Path("/proc/sys/kernel/sched_autogroup_enabled")


@contextmanager
def by_thread():
    """Every thread has the same share meanwhile. Where the kernel shares by session, as Debian's does by itself, the load,
    which on a real fleet is on other machines, has as much as a whole control plane, and each backend of PostgreSQL too."""
    try:
        before = BY_SESSION.read_text().strip()
    except OSError:
        # This kernel does not know the other way.
        before = "0"
    if before == "0":
        yield "thread"
        return
    try:
        BY_SESSION.write_text("0")
    except OSError as e:
        print(f"bench: the kernel shares the processors by session, and may not be told otherwise: {e}", file=sys.stderr)
        yield "session"
        return
    try:
        yield "thread"
    finally:
        BY_SESSION.write_text(before)
