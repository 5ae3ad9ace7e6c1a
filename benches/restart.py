"""How long a host is without its agent: at an upgrade, and when a bad release is rolled back. On a real systemd, in a
container of its own on this very kernel."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from control_plane import ControlPlane, wait_for
from figures import progress, ratio, row, shell, spread

# The budgets.
TIMES_BARE = 2.0
ROLLBACK_S = 3.0

ROUNDS, CRASH_ROUNDS = 8, 5

ON_HOST = "nsenter --all --target $HOST"
AGENT = "novacula-agent.service"
BARE, BOXED = "bare.service", "bare-sandboxed.service"
NAME = "host"
# What systemd writes down about a unit, in µs since the start of the machine: SIGTERM was sent, the old process is
# gone, the new one was made, it said READY.
STAMPS = ("ActiveExit", "InactiveEnter", "ExecMainStart", "ActiveEnter")
SHOW = f"systemctl show --property={','.join(f'{stamp}TimestampMonotonic' for stamp in STAMPS)}"
# What the server writes down about a request, in seconds of the time of the day.
REQUEST = "$msec - $request_time in $BENCH/host.log"
# One entry for each main process of the service that ended badly.
CRASHES = f"journalctl --output=json _PID=1 UNIT={AGENT} MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15"
# What the unit says about its start and its end; the rest of it is the sandbox.
NOT_SANDBOX = ("Type=", "ExecStart=", "Restart", "Timeout", "WatchdogSec=", "#", "[")


def restart(asked, figures):
    host = Host(asked)
    try:
        downtime(asked, host, figures)
        crash_loop(asked, host, figures)
    finally:
        host.end()


class Host:
    """A host with the old agent on it, both bare services, and a control plane that has both releases to offer."""

    def __init__(self, asked):
        progress("booting a host")
        self.log = Path(asked.bench, "host.log")
        # It stays until the pipe is closed, so it ends with this process, whatever becomes of it.
        self.keeper = subprocess.Popen([asked.parts, "host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = self.keeper.stdout.readline().split()
        if said[:1] != ["host"]:
            self.end()
            sys.exit("bench: the host does not boot")
        os.environ["HOST"] = said[1]
        self.root = Path(f"/proc/{said[1]}/root")
        try:
            self.furnish(asked)
        except BaseException:
            self.end()
            raise

    def furnish(self, asked):
        self.control_plane = ControlPlane(asked)
        for version, file in ((asked.version, asked.agent), (asked.next_version, asked.next_agent),
                              (asked.bad_version, asked.bad_release)):
            self.control_plane.publish(version, file, asked.bench)
        self.put("/etc/hosts", "127.0.0.1 localhost\n")
        self.put("/etc/novacula/ca.pem", Path(asked.bench, "ca.pem").read_text())
        self.put("/etc/novacula/agent.toml", f"""[agent]
name = "{NAME}"
sync_interval_ms = 1000
[control_plane]
url = "{asked.host_url}"
access_token = "{self.control_plane.key(NAME)}"
ca_file = "/etc/novacula/ca.pem"
""", 0o600)
        for program, path in ((asked.agent, "/opt/novacula/bin/novacula-agent"), (asked.bare, "/opt/bare")):
            self.put(path, "", 0o755)
            shutil.copyfile(program, self.root / path[1:])
        unit = Path("systemd", AGENT).read_text().partition("[Service]")[2].partition("[Install]")[0]
        sandbox = [line for line in unit.splitlines() if line and not line.startswith(NOT_SANDBOX)]
        for name, lines in ((BARE, []), (BOXED, sandbox)):
            service = ["[Service]", "Type=notify", f"ExecStart=/opt/bare {asked.bare_address}", *lines]
            self.put(f"/etc/systemd/system/{name}", "\n".join(service) + "\n")
        self.sh("/opt/novacula/bin/novacula-agent install && systemctl daemon-reload"
                f" && systemctl start {AGENT} {BARE} {BOXED}")
        self.executor = self.control_plane.wait_for_version(NAME, asked.version)

    def put(self, path, text, mode=0o644):
        place = self.root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def sh(self, command):
        return shell(f"{ON_HOST} sh -c '{command}'")

    def stamps(self, unit):
        """When each of the stamps was last written, in seconds since the start of the machine."""
        said = dict(line.split("=") for line in self.sh(f"{SHOW} {unit}").splitlines())
        return [int(said[f"{stamp}TimestampMonotonic"]) / 1e6 for stamp in STAMPS]

    def first_request(self, client, since):
        """When the first request of this client after `since` reached the server, in seconds since the start of the
        machine: a container shares its clocks."""
        def look():
            apart = time.time() - time.monotonic()
            for line in self.log.read_text().splitlines():
                at, took, status, agent = line.split(" ", 3)
                begun = float(at) - float(took) - apart
                if agent == client and status == "200" and begun > since:
                    return begun
            return None
        return wait_for(f"{client} must send a request", look, 10)

    def end(self):
        self.keeper.stdin.close()
        try:
            self.keeper.wait(20)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()


def downtime(asked, host, figures):
    """From SIGTERM for the old process until the server hears of the new one: the agent at an upgrade or the way back,
    and both bare services at a plain restart, in turns."""
    taken = {unit: [] for unit in (AGENT, BARE, BOXED)}
    versions = [asked.next_version, asked.version]
    # The first round only warms the caches.
    for done in range(ROUNDS + 1):
        progress(f"restarts, round {done} of {ROUNDS}")
        version = versions[done % 2]
        ended = host.control_plane.upgrade(host.executor, version)
        if ended["stage"] != "COMPLETED":
            sys.exit(f"bench: the upgrade to {version} must succeed, it is {ended['stage']}: {ended['error']}")
        clients = {AGENT: f"novacula-agent/{version}", BARE: "bare", BOXED: "bare"}
        for unit, client in clients.items():
            if unit != AGENT:
                host.sh(f"systemctl restart {unit}")
            stop, stopped, started, ready = host.stamps(unit)
            heard = host.first_request(client, stop)
            if done > 0:
                steps = {"gone": stopped, "started": started, "ready": ready, "heard": heard}
                taken[unit].append({step: (at - stop) * 1000 for step, at in steps.items()})
    progress("")
    labels = {AGENT: "restart at an upgrade", BARE: "restart of a bare service", BOXED: "the same, sandboxed"}
    for unit, label in labels.items():
        each = [steps["heard"] for steps in taken[unit]]
        middle = {step: statistics.median(steps[step] for steps in taken[unit]) for step in taken[unit][0]}
        row(figures, label, f"{middle['heard']:.0f} ms", "", None,
            [f"{ON_HOST} {SHOW} {unit}",
             f"the first of these until the new process is heard: {REQUEST}",
             f"{spread(each, 'ms', 0)}; gone after {middle['gone']:.0f}, started after {middle['started']:.0f},"
             f" READY after {middle['ready']:.0f} ms"],
            {"rounds_ms": taken[unit]})
    ours = [steps["heard"] for steps in taken[AGENT]]
    for unit, name in ((BARE, "ratio agent ÷ bare"), (BOXED, "ratio agent ÷ sandboxed")):
        ratio(figures, name, ours, [steps["heard"] for steps in taken[unit]], at_most=TIMES_BARE)


def crash_loop(asked, host, figures):
    """From the third crash of a bad release until the server hears of the old version again."""
    old = host.control_plane.call("GET", f"executors/{host.executor}")["currentVersion"]
    back = []
    for done in range(CRASH_ROUNDS):
        progress(f"crash loops, round {done + 1} of {CRASH_ROUNDS}")
        begun = time.monotonic()
        ended = host.control_plane.upgrade(host.executor, asked.bad_version)
        if ended["stage"] != "ROLLEDBACK":
            sys.exit(f"bench: the bad release must be rolled back, it is {ended['stage']}: {ended['error']}")
        entries = [json.loads(line) for line in host.sh(CRASHES).splitlines()]
        crashes = [at for at in (int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6 for entry in entries) if at > begun]
        if len(crashes) != 3:
            sys.exit(f"bench: the bad release must crash 3 times, it did {len(crashes)} times")
        heard = host.first_request(f"novacula-agent/{old}", crashes[2])
        *_, ready = host.stamps(AGENT)
        back.append({"ready": ready - crashes[2], "heard": heard - crashes[2]})
    progress("")
    each = [steps["heard"] for steps in back]
    ready = statistics.median(steps["ready"] for steps in back)
    middle = statistics.median(each)
    row(figures, "rollback of a crash loop", f"{middle:.2f} s", f"≤ {ROLLBACK_S:.0f} s", middle <= ROLLBACK_S,
        [f"{ON_HOST} {CRASHES}",
         f"__MONOTONIC_TIMESTAMP of the third until the old version is heard: {REQUEST}",
         f"{spread(each, 's', 2)}; READY after {ready:.2f} s"],
        {"rounds_s": back})
