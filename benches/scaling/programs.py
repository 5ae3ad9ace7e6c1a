"""Programs that are measured: started here, and ended by their number whatever happens."""

import atexit
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
END_LIMIT_S, START_LIMIT_S = 15, 120

_running = []
_libc = ctypes.CDLL(None)


@atexit.register
def end_all():
    while _running:
        _running[-1].end()


def begin():
    """In a new process, in a session of its own, before it becomes a program."""
    # Also when whoever measures is killed, which no handler of ours would hear.
    _libc.prctl(1, signal.SIGTERM)


class Program:
    """A program in a session of its own, with a log."""

    def __init__(self, command, log, environment=None, user=None):
        self.log = Path(log)
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=environment or {"PATH": os.environ["PATH"]}, start_new_session=True, preexec_fn=begin,
                user=user, group=user, extra_groups=[] if user else None)
        self.pid = self.process.pid
        _running.append(self)

    def tell(self, what):
        try:
            os.killpg(self.pid, what)
        except ProcessLookupError:
            pass

    def end(self, how=signal.SIGTERM):
        if self in _running:
            _running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(how)
            # Whoever was made to wait for its turn hears nothing until it goes on.
            self.tell(signal.SIGCONT)
            try:
                self.process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                pass
        self.tell(signal.SIGKILL)
        self.process.wait()

    def fail(self, sentence):
        end = self.log.read_text(errors="replace")[-2000:]
        sys.exit(f"bench: {sentence}; its log:\n{end}")

    def wait_until(self, sentence, look, limit_s=START_LIMIT_S):
        limit = time.monotonic() + limit_s
        while not (found := look()):
            if self.process.poll() is not None:
                self.fail(f"{sentence}, it ended with {self.process.returncode}")
            if time.monotonic() > limit:
                self.fail(f"{sentence}, it did not within {limit_s} s")
            time.sleep(0.005)
        return found

    def cpu_us(self):
        """Processor time of the program and of all it started, in µs."""
        return sum(_cpu_us(pid) for pid in [self.pid, *_children(self.pid)])

    def rest(self):
        """It gets no processor until it goes on, so that the one that is measured has both."""
        self.tell(signal.SIGSTOP)

    def go_on(self):
        self.tell(signal.SIGCONT)


def _children(pid):
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in found]


def _cpu_us(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    # Own time, and that of children that have ended.
    return sum(int(field) for field in fields[11:15]) * TICK_US


class ControlPlane(Program):
    """The control plane on a folder and, unless said otherwise, on the database in it."""

    def __init__(self, binary, folder, database_url=None, port=0, **settings):
        self.folder, self.database_url = Path(folder), database_url
        self.folder.mkdir(parents=True, exist_ok=True)
        self.token_file = self.folder / "token"
        log = self.folder / "log"
        log.write_bytes(b"")
        environment = {"DATA_DIR": str(folder), "PORT": str(port), "LOG_FORMAT": "text", "RUST_LOG": "warn", **settings}
        if database_url:
            environment["DATABASE_URL"] = database_url
        self.begun = time.monotonic()
        super().__init__([binary, "serve"], log, environment)
        self.origin = self.wait_until("the control plane must listen", lambda: self.said("listening on "))
        self.address = self.origin.removeprefix("http://")
        self.wait_until("the control plane must be ready", self.is_ready)
        self.ready_after_s = time.monotonic() - self.begun
        token = self.said("owner token (shown once): ")
        if token:
            self.token_file.write_text(token)

    def said(self, beginning):
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith(beginning):
                return line.removeprefix(beginning).strip()
        return None

    def is_ready(self):
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.origin}/readyz", timeout=20):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path):
        headers = {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}
        request = urllib.request.Request(f"{self.origin}{path}", headers=headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)

    def measure(self, metric):
        """The value of a metric without labels; None where there is no such metric."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.origin}/metrics", timeout=20) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{metric} "):
                    return float(line.split()[1])
        return None

    def resident_bytes(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return self.fail("the control plane must run")


class Nginx(Program):
    """A real nginx that answers a sync with a fixed text, with nothing that costs time and is not asked for."""

    ANSWER = ('{"controlPlaneVersion":"0.1.0","now":"2026-11-22T00:00:00.000Z","support":"in-window",'
              '"syncIntervalMs":5000,"pendingUpgrade":null,"preflight":[]}')

    def __init__(self, folder, port):
        folder = Path(folder)
        folder.mkdir(parents=True)
        self.address = f"127.0.0.1:{port}"
        # A worker under another user could not read this folder, and only root can choose one.
        user = "user root;" if os.getuid() == 0 else ""
        places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""{user}
worker_processes {os.cpu_count()};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    {places}
    server {{
        listen {self.address};
        location = /api/v1/syncExecutor {{
            default_type application/json;
            return 200 '{self.ANSWER}';
        }}
        location = /readyz {{ return 200 'ready'; }}
    }}
}}
""")
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        super().__init__([nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"], folder / "log")
        self.wait_until("nginx must answer", self.answers)

    def answers(self):
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{self.address}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False
