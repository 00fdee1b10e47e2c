"""Values that an undo needs are sealed: nobody reads them without the key, and nobody finds them by their hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from resources.vault.client import Vault
from resources.vault.images import SealedImages

VALUES = {"key": {"/personal/lastName": ("Quetzalcoatlova", None), "/active": (None, True)}}


def test_values_come_back_and_are_in_clear_nowhere(tmp_path: Path) -> None:
    images = SealedImages(Vault(tmp_path, b"k" * 32))
    name = images.seal(VALUES)
    assert images.values(name, "key") == VALUES["key"] and images.values(name, "another") is None
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert files == [tmp_path / "images" / name[:2] / name] and files[0].stat().st_mode & 0o077 == 0
    assert b"Quetzal" not in files[0].read_bytes()
    assert not Vault(tmp_path, b"k" * 32).holds(name)  # it is no original


def test_the_name_does_not_tell_what_is_in_it(tmp_path: Path) -> None:
    images = SealedImages(Vault(tmp_path, b"k" * 32))
    assert images.seal(VALUES) != images.seal(VALUES)
    assert hashlib.sha256(json.dumps(VALUES).encode()).hexdigest() != images.seal(VALUES)


def test_what_is_gone_or_under_another_key_is_not_known(tmp_path: Path) -> None:
    name = SealedImages(Vault(tmp_path, b"k" * 32)).seal(VALUES)
    assert SealedImages(Vault(tmp_path, b"x" * 32)).values(name, "key") is None
    assert SealedImages(Vault(tmp_path, b"k" * 32)).values("0" * 64, "key") is None
