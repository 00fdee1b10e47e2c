"""Where a server's Unix socket lies.

A socket's path holds 108 bytes at most (104 on macOS). It lies beside the data where that fits, else in a folder of its
own in the temporary folder. Only its owner (and root) may enter the folder, so whoever connects is trusted.
"""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from pathlib import Path

from resources.embedded.account import Account, let_pass

_LONGEST = 100
_PREFIX = "holdfast-"


def fits(folder: Path, name: str) -> bool:
    """Whether a socket `name` in `folder` is short enough, and plain enough to stand in addresses and settings."""
    path = str(folder / name)
    return len(path.encode()) <= _LONGEST and re.fullmatch(r"[A-Za-z0-9/._-]+", path) is not None


def socket_folder(beside: Path, name: str, account: Account, recorded: Path | None) -> Path:
    """A folder of mode 0700 that `account` owns, for the socket `name`; `recorded` is used again where it still is one."""
    folder = beside.resolve() / "socket"
    if fits(folder, name):
        folder.mkdir(mode=0o700, exist_ok=True)
    elif recorded is not None and fits(recorded, name) and _is_private(recorded, account):
        folder = recorded
    else:
        temporary = Path(tempfile.gettempdir()).resolve()
        above = temporary if fits(temporary / f"{_PREFIX}12345678", name) else Path("/tmp")  # noqa: S108
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
    folder.chmod(0o700)
    account.own(folder)
    let_pass(folder, account)
    return folder


def _is_private(folder: Path, account: Account) -> bool:
    # In a folder that anyone may write to, a folder of that name could be somebody's trap.
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and stat.S_IMODE(found.st_mode) == 0o700


def clear(folder: Path) -> None:
    """Remove what a dead server left in its socket folder."""
    for left in folder.iterdir():
        left.unlink(missing_ok=True)


def remove(folder: Path, beside: Path) -> None:
    """Remove a socket folder that lies in the temporary folder; one beside the data stays."""
    if folder.parent != beside.resolve() and folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
