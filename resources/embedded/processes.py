"""Which processes serve a folder, and how they are put down.

A server is known by its program and its working folder. A number from a pid file is not enough: after a crash it may be
another program's.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil


def serving(program: str, folder: Path) -> list[psutil.Process]:
    """Living processes named `program` whose working folder is `folder`: a server and its children."""
    if not folder.exists():
        return []
    home = str(folder.resolve())
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() != program or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.cwd() == home:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def heads(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of `processes` that are no child of another of them: the server, or what it left behind when it died."""
    numbers = {process.pid for process in processes}
    found = []
    for process in processes:
        try:
            if process.ppid() not in numbers:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def put_down(program: str, folder: Path, how: signal.Signals, *, patience_seconds: float = 60) -> bool:
    """End all that serves `folder`: asked by `how` first, killed after `patience_seconds`. Whether there was any."""
    everyone = serving(program, folder)
    for process in heads(everyone):
        _send(process, how)
    left = wait_for_end(everyone, patience_seconds)
    for process in left:
        _send(process, signal.SIGKILL)
    wait_for_end(left, 10)
    return bool(everyone)


def wait_for_end(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those of `processes` that still live after `seconds` at most."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, how: signal.Signals) -> None:
    try:
        process.send_signal(how)  # psutil looks first whether the number is still this process's
    except psutil.NoSuchProcess:
        return
