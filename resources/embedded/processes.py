"""Which processes serve a folder, and how they are put down.

A server is known by its program and its working folder. A number from a pid file is not enough: after a crash it may be
another program's.
"""

from __future__ import annotations

import signal
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


def put_down(program: str, folder: Path, how: signal.Signals, *, patience_seconds: float = 30) -> bool:
    """End all that serves `folder`: asked by `how` first, killed after `patience_seconds`. Whether there was any."""
    everyone = serving(program, folder)
    for process in heads(everyone):
        _send(process, how)
    _, left = psutil.wait_procs(everyone, timeout=patience_seconds)
    for process in left:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=10)
    return bool(everyone)


def _send(process: psutil.Process, how: signal.Signals) -> None:
    try:
        process.send_signal(how)  # psutil looks first whether the number is still this process's
    except psutil.NoSuchProcess:
        return
