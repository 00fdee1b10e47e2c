"""The salt of the embedded default: made once, kept in VAR/secrets/masking_salt with mode 0600.

Another salt gives every patron another token, so a salt that is there is never replaced.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from resources.embedded.errors import ServiceError

_SHORTEST = 16


def kept_salt(var: Path) -> str:
    """The salt of this VAR; made when there is none yet. Two processes at once get the same one.

    Raises:
        ServiceError: the file is there and is no salt, or can't be read or written.
    """
    file = var / "secrets" / "masking_salt"
    try:
        if not file.exists():
            _make(file)
        salt = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError(
            f"{file}: can't be read or made ({type(error).__name__}); mend it, or set HOLDFAST_MASKING_SALT"
        ) from None
    if len(salt) < _SHORTEST:
        raise ServiceError(
            f"{file}: shorter than {_SHORTEST} characters; restore it from a backup: with another salt, masked values no "
            "longer match those stored before. Without masked values yet, delete it"
        )
    return salt


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=".masking_salt.")  # of mode 0600
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secrets.token_urlsafe(32) + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(partial, file)  # fails where another process was first: its salt holds
    except FileExistsError:
        pass
    finally:
        Path(partial).unlink()
