"""Whose turn it is: one process at a time starts or stops the services of a VAR."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.embedded.errors import ServiceError


@contextmanager
def take_turn(file: Path, *, timeout_seconds: float = 300) -> Iterator[None]:
    """Hold the lock on `file` for the block. The kernel frees it when the holder dies, so it is never stale.

    Raises:
        ServiceError: another process held it for all of `timeout_seconds`, or the file can't be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ServiceError(
            f"{file}: can't be written ({error.strerror}); start Holdfast as the user it belongs to, "
            "or set HOLDFAST_VAR to a folder of your own"
        ) from error
    try:
        deadline = time.monotonic() + timeout_seconds
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{file}: another process has been starting or stopping the services for {timeout_seconds:.0f} s; "
                    "see what it waits for, or end it"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
