"""The processes that `holdfast run` starts: detached, with a log file, known by process id and start time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from resources.embedded.errors import ServiceError

# Where workspace.yaml and the packages are; holdfast.toml may lie elsewhere (HOLDFAST_CONFIG).
CHECKOUT = Path(__file__).resolve().parents[1]


class Started:
    """Programs of one VAR, in VAR/run/NAME.json. A process id that now belongs to another program is never touched."""

    def __init__(self, var: Path) -> None:
        self._folder = var / "run"
        self._logs = var / "logs"

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def find(self, name: str) -> psutil.Process | None:
        """The running process, if it is still the one that was started."""
        try:
            record = json.loads((self._folder / f"{name}.json").read_text())
            process = psutil.Process(record["pid"])
            same = abs(process.create_time() - record["created"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
            return process if same else None
        except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            return None

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str], *, cwd: Path) -> psutil.Process:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=dict(environ),
                cwd=cwd,
                start_new_session=True,
            )
        process = psutil.Process(child.pid)
        record = {"pid": child.pid, "created": process.create_time()}
        (self._folder / f"{name}.json").write_text(json.dumps(record))
        return process

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.json")) if self._folder.is_dir() else []

    def stop(self, name: str, patience_seconds: float = 15) -> bool:
        """End the program and all that it started; whether it ran."""
        process = self.find(name)
        (self._folder / f"{name}.json").unlink(missing_ok=True)
        if process is None:
            return False
        family = [process, *_children(process)]
        # The group hears of it as from a keyboard, so that Dagster ends its code servers in order.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=patience_seconds)
        for each in [*alive, *(child for left in alive for child in _children(left))]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(alive, timeout=5)
        return True


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody listens there, else one that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def wait_for_file(path: Path, process: psutil.Process, seconds: float = 30) -> str:
    """Text of a file that a starting process writes.

    Raises:
        ServiceError: the process ended, or the time is over.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            if text := path.read_text().strip():
                return text
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    raise ServiceError(f"{path.name} did not come: the program ended or hangs; see its log beside {path.parent}")
