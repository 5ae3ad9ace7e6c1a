"""What an upgrade costs that does all it must: download, SHA-256, signature, fsync, swap; and the memory it takes."""

import os
import re
import statistics
from pathlib import Path

from control_plane import ControlPlane
from figures import progress, ratio, row, shell, spread, timed

# The budgets.
TIMES_CURL = 1.20
TIMES_FASTER_THAN_BY_HAND = 4.0
BUFFER_BYTES = 4_000_000
THREADS = 1

ROUNDS = 7

# Unmeasured: every round begins with nothing on disk, and nothing on its way to it.
FRESH = ("rm -rf $BENCH/fresh $BENCH/fetched && mkdir -m 700 $BENCH/fresh && cp $BENCH/novacula-agent $BENCH/fresh"
         " && sync")


def download(asked, figures):
    """The whole command `upgrade` beside curl alone, and beside what a careful person would type instead."""
    size_bytes = os.path.getsize(f"{asked.bench}/artifact")
    sha256 = shell(f"sha256sum {asked.bench}/artifact").split()[0]
    text = Path(asked.bench, "agent.toml").read_text()
    fresh = Path(asked.bench, "fresh.toml")
    fresh.touch(mode=0o600)
    fresh.write_text(text.replace(f"{asked.bench}/data", f"{asked.bench}/fresh/data"))
    upgrade = (f"$BENCH/fresh/novacula-agent --config $BENCH/fresh.toml upgrade --target-version {asked.next_version}"
               f" --size {size_bytes} --sha256 {sha256} --signature $BENCH/artifact.minisig"
               f" --download-url {asked.download_url}")
    curl = f"curl -sS --noproxy '*' -o $BENCH/fetched {asked.download_url}"
    by_hand = (f"{curl} && sha256sum $BENCH/fetched && minisign -V -p {asked.public_key} -x $BENCH/artifact.minisig"
               " -m $BENCH/fetched && sync $BENCH/fetched")
    contenders = {
        "upgrade": (without_systemd(upgrade), 0, "is in place, on trial"),
        "curl": (without_systemd(curl), 0, ""),
        "by hand": (without_systemd(by_hand), 0, "verified"),
    }
    taken = {name: [] for name in contenders}
    core = []
    # The first round only warms the page cache.
    for done in range(ROUNDS + 1):
        progress(f"downloads, round {done} of {ROUNDS}")
        for name, (command, code, expected) in contenders.items():
            shell(FRESH)
            times, said = timed(command, code, expected)
            if done > 0:
                taken[name].append(times)
                core += [int(ms) / 1000 for ms in re.findall(r"fetched and verified in (\d+) ms", said)]
    progress("")
    shell("rm -rf $BENCH/fresh $BENCH/fetched")

    wall = {name: [wall for wall, _, _ in times] for name, times in taken.items()}
    labels = {"upgrade": "download: whole upgrade", "curl": "download: curl alone", "by hand": "download: by hand"}
    for name, label in labels.items():
        row(figures, label, f"{statistics.median(wall[name]) * 1000:,.0f} ms", "", None,
            [contenders[name][0], f"{spread([s * 1000 for s in wall[name]], 'ms', 0)} by the clock on the wall for"
             f" {size_bytes / 1e6:.0f} MB; {statistics.median([u + s for _, u, s in taken[name]]):.2f} s of processor"
             " time"],
            {"rounds_wall_user_system_s": taken[name], "bytes": size_bytes})
    # The budgets speak of the download with its hash, signature and fsync; the agent's own line also counts a run of
    # the new binary. The whole command starts and asks the old binary too, keeps records and swaps.
    row(figures, "download: fetched, verified", f"{statistics.median(core) * 1000:,.0f} ms", "", None,
        [f"`fetched and verified in … ms` as the upgrade says, {spread([s * 1000 for s in core], 'ms', 0)}"],
        {"rounds_s": core})
    ratio(figures, "ratio fetched ÷ curl", core, wall["curl"], at_most=TIMES_CURL)
    ratio(figures, "ratio by hand ÷ fetched", wall["by hand"], core, at_least=TIMES_FASTER_THAN_BY_HAND)
    ratio(figures, "ratio upgrade ÷ curl", wall["upgrade"], wall["curl"])
    ratio(figures, "ratio by hand ÷ upgrade", wall["by hand"], wall["upgrade"])


def without_systemd(command):
    """An upgrade by hand asks the systemd of this host to restart its agent, and this one is none of its services."""
    if not os.path.isdir("/run/systemd/system"):
        return command
    hidden = "mount -t tmpfs none /run/systemd"
    return f'unshare --mount sh -c "{hidden} && {command}"'


def memory(asked, figures):
    """A running agent is offered the artifact under a version that it does not print: everything is fetched, hashed and
    verified, then refused, so that the process is still there to be looked at."""
    control_plane = ControlPlane(asked)
    version = asked.unlike_version
    control_plane.publish(version, f"{asked.bench}/artifact", asked.bench)
    executor = control_plane.wait_for_version("bench", asked.version)
    # The kernel then counts the peak anew.
    forget = "echo 5 >/proc/$PID/clear_refs"
    before_command = "awk '/^VmRSS:/ {print $2 * 1024}' /proc/$PID/status"
    before = int(shell(f"{before_command}; {forget}"))
    progress("a download by the running agent")
    ended = control_plane.upgrade(executor, version)
    progress("")
    if (found := (ended.get("error") or {}).get("code")) != "exec_preflight":
        raise SystemExit(f"bench: the upgrade must be refused by exec_preflight, it is {ended['stage']}: {found}")
    command = "awk '/^VmHWM:/ {print $2 * 1024}' /proc/$PID/status"
    peak = int(shell(command))
    row(figures, "memory a download adds", f"{peak - before:,} bytes", f"≤ {BUFFER_BYTES:,}",
        peak - before <= BUFFER_BYTES,
        [f"{command}   gives {peak:,} after the download",
         f"{before_command}   gave {before:,} before; then {forget}"],
        {"peak_bytes": peak, "before_bytes": before})
    command = "awk '/^Threads:/ {print $2}' /proc/$PID/status"
    threads = int(shell(command))
    row(figures, "threads after a download", f"{threads}", f"{THREADS}", threads <= THREADS, [command],
        {"threads": threads})
