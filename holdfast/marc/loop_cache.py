"""Where numba keeps what it compiled.

Numba asks whether the file of a function is newer than what it kept of it, and of no other file. But functions and constants of the
modules in SHARED are compiled into those of others: after an update of one of these alone, the old machine code would go on. So each
text of them has a folder of its own. NUMBA_CACHE_DIR, where it is set, is the folder that these are in.

Numba, "Notes on Caching": https://numba.readthedocs.io/en/stable/developer/caching.html
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba

_FOLDER = Path(__file__).parent
SHARED = (
    *("identifiers", "kernel", "string_views", "text_spans"),
    *("validation.columns", "validation.memory", "validation.rows", "validation.scan"),
)  # of holdfast.marc; tests/holdfast/marc/test_compiling.py looks what they are


def digest(folder: Path = _FOLDER) -> str:
    """Of the texts of SHARED, 16 characters."""
    found = hashlib.sha256()
    for name in SHARED:
        found.update(hashlib.sha256((folder / f"{name.replace('.', '/')}.py").read_bytes()).digest())
    return found.hexdigest()[:16]


def keep_apart() -> None:
    """To be called before the first function is compiled."""
    config: Any = numba.config  # a module that reads the environment, untyped
    config.CACHE_DIR = str(Path(config.CACHE_DIR or _FOLDER / "__pycache__") / f"loops-{digest()}")
