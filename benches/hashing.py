"""The agent's own `verify` beside the tools people know."""

import os
import statistics

from figures import progress, ratio, row, spread, timed

ROUNDS = 7


def hashing(asked, figures):
    """The agent's own `verify` beside the tools people know; round by round, so that a busy moment hits all alike."""
    size_bytes = os.path.getsize(f"{asked.bench}/artifact")
    mb = size_bytes / 1e6
    contenders = {
        "verify": ("$BENCH/novacula-agent verify $BENCH/artifact", 0, "good: "),
        "minisign -V": (f"minisign -V -p {asked.public_key} -m $BENCH/artifact", 0, "verified"),
        "sha256sum": ("sha256sum $BENCH/artifact", 0, f"{asked.bench}/artifact"),
    }
    taken = {name: [] for name in contenders}
    # The first round only warms the page cache.
    for done in range(ROUNDS + 1):
        progress(f"hashing, round {done} of {ROUNDS}")
        for name, (command, code, expected) in contenders.items():
            times, _ = timed(command, code, expected)
            if done > 0:
                taken[name].append(times)
    progress("")
    # The user's part of the processor time: reading, receiving and writing are the kernel's, and a busy machine does
    # not stretch it.
    speed = {name: [mb / user for _, user, _ in times] for name, times in taken.items()}
    wall = {name: [mb / wall for wall, _, _ in times] for name, times in taken.items()}
    labels = {
        "verify": "prehash: agent verify",
        "minisign -V": "prehash: minisign -V",
        "sha256sum": "SHA-256: sha256sum",
    }
    for name, label in labels.items():
        row(figures, label, f"{statistics.median(speed[name]):,.0f} MB/s", "", None,
            [contenders[name][0], f"{spread(speed[name], 'MB/s', 0)} of user time;"
             f" {statistics.median(wall[name]):,.0f} MB/s by the clock on the wall"],
            {"rounds_wall_user_system_s": taken[name], "bytes": size_bytes})
    ratio(figures, "ratio verify ÷ minisign -V", speed["verify"], speed["minisign -V"])
