"""Which system user a server runs as.

PostgreSQL refuses to run as root. Where Holdfast runs as root (containers, mostly), its data belong to the system user
`pgserver`, which is made once; data that belong to someone already are served as that one.
"""

from __future__ import annotations

import logging
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.embedded.errors import ServiceError

SYSTEM_USER = "pgserver"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    @property
    def is_me(self) -> bool:
        return self.uid == os.geteuid()

    def credentials(self) -> dict[str, Any]:
        """Arguments for `subprocess` that start a program as this account."""
        return {} if self.is_me else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        if not self.is_me:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def account_for(data: Path, *, may_be_root: bool) -> Account:
    """Who serves the data folder `data`, which may not be there yet.

    Raises:
        ServiceError: it belongs to someone else, or there is no way to make `pgserver`.
    """
    me = Account(os.geteuid(), os.getegid())
    owner = data.stat() if data.exists() else None
    if me.uid != 0:
        if owner is not None and owner.st_uid != me.uid:
            raise ServiceError(
                f"{data}: belongs to {_name(owner.st_uid)}; start Holdfast as that user, "
                "or set HOLDFAST_VAR to a folder of your own"
            )
        return me
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return me if may_be_root else _system_user()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _system_user() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            # Another process may have made it just now.
            try:
                entry = pwd.getpwnam(SYSTEM_USER)
            except KeyError:
                raise ServiceError(
                    f"PostgreSQL does not run as root, and the system user '{SYSTEM_USER}' could not be made "
                    f"({error}); make it with useradd, or run Holdfast as a normal user"
                ) from error
        else:
            entry = pwd.getpwnam(SYSTEM_USER)
    return Account(entry.pw_uid, entry.pw_gid)


def let_pass(path: Path, account: Account) -> None:
    """Let `account` walk down to `path`: adds the right to pass (not to list) to folders above it that lack it."""
    if account.is_me:
        return
    for folder in reversed(path.resolve().parents):
        found = folder.stat()
        if found.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed:
            _log.warning("%s: adding the right to pass, so that %s reaches %s", folder, _name(account.uid), path)
            folder.chmod(stat.S_IMODE(found.st_mode) | needed)


def let_read(tree: Path, account: Account) -> None:
    """Let `account` read and run the programs in `tree`, where an installation under a strict umask hid them."""
    if account.is_me:
        return
    let_pass(tree, account)
    readable = stat.S_IRGRP | stat.S_IROTH
    runnable = stat.S_IXGRP | stat.S_IXOTH
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = mode | readable | (runnable if mode & stat.S_IXUSR else 0)
        if mode != wanted:
            path.chmod(wanted)
