"""One agent on one host: a temporary directory with the binary, its config and its data, and a plain process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

CONFIG = """\
[agent]
name = "{name}"
data_dir = "{data_dir}"
channel = "{channel}"
labels = {{ "upgrade-wave" = "canary" }}
sync_interval_ms = 1000

[control_plane]
url = "{url}"
access_token = "{token}"

[logging]
level = "debug"
"""


class Host:
    channel = "stable"
    labels = {"upgrade-wave": "canary"}

    def __init__(self, root: Path, name: str, agent: Path, url: str, token: str) -> None:
        self.name = name
        self.binary = root / "bin" / "novacula-agent"
        self.previous = self.binary.with_name("novacula-agent.prev")
        self.data_dir = root / "data"
        self.footprint = root / "executed"
        self.log = root / "agent.log"
        self._agent = agent
        self._config = root / "agent.toml"
        self._process: subprocess.Popen | None = None
        text = CONFIG.format(name=name, data_dir=self.data_dir, channel=self.channel, url=url, token=token)
        self._config.touch(mode=0o600)
        self._config.write_text(text)
        self.install()

    def install(self) -> None:
        """A host as new: the given binary, nothing beside it, no memory."""
        for folder in (self.binary.parent, self.data_dir):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
        # Copied by another process: a file that this one holds open for writing may be inherited by the start of an
        # agent in another thread, and then it cannot be run ("text file busy").
        subprocess.run(["install", "-m", "755", self._agent, self.binary], check=True)
        self.footprint.unlink(missing_ok=True)
        self._inode = self.binary.stat().st_ino

    def start(self) -> None:
        # Nothing of the caller's environment may reach the agent: no proxy, no notify socket, no other config.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.binary.parent)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.binary, "run", "--config", self._config],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Ends the agent without a warning, and whatever it started with it."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def traces(self) -> list[str]:
        """What is different from a host on which no upgrade was ever ordered."""
        found = [f"{path.name} is beside the binary" for path in self.binary.parent.iterdir() if path != self.binary]
        if not self.binary.exists():
            found.append("the binary is gone")
        elif self.binary.read_bytes() != self._agent.read_bytes():
            found.append("the binary has other bytes")
        elif self.binary.stat().st_ino != self._inode:
            found.append("the binary is another file")
        return found + ["the offered program was run"] * self.footprint.exists()
