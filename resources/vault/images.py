"""What was found and written of holdings, items and patrons, sealed for an undo: values in clear are in no other store.

A file a request, VAR/vault/images, AES-256-GCM as the originals. It begins with random bytes: its name is the hash of its content,
and from the hash of a name and a birthday anybody could find them. Who deletes a file gives up that masked elements can be
put back, and nothing else.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from typing import Any

from resources.vault.client import SealBrokenError, Vault

Values = Mapping[str, tuple[Any, Any]]
"""JSON pointer → (before, after), as the library system has them: for memory only."""
FOLDER = "images"


class SealedImages:
    """Holds one file in memory, the one that was read last."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault.beside(FOLDER)
        self._read: tuple[str, dict[str, Any]] = ("", {})

    def seal(self, values: Mapping[str, Values]) -> str:
        """Keep values by idempotency key; the name to find them by. It is on the disk when this returns."""
        document = {"random": secrets.token_hex(32), "values": {key: dict(each) for key, each in values.items()}}
        return self._vault.seal(io.BytesIO(json.dumps(document, ensure_ascii=False).encode())).sha256

    def values(self, name: str, key: str) -> Values | None:
        """None: there is no such file any more, its seal does not hold under this key, or it has nothing of this key."""
        if self._read[0] != name:
            self._read = (name, self._open(name))
        found = self._read[1].get(key)
        return None if found is None else {pointer: (before, after) for pointer, (before, after) in found.items()}

    def _open(self, name: str) -> dict[str, Any]:
        try:
            with self._vault.open(name) as stream:
                return dict(json.load(stream)["values"])
        except (FileNotFoundError, SealBrokenError):
            return {}
