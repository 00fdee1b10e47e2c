"""Names that come from outside: batch names and the paths in a manifest.

A batch name becomes a partition key, a folder and a tag; a path becomes a file in the master store. Neither may
reach anything else.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

BATCH_RULE = (
    "a batch name has 1 to 80 of the letters A-Z a-z, digits, '-', '_' and '.', starts with a letter or digit, "
    "has no '..' and does not start with 'invalid-'"
)
_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PATH_BYTES = 1024
_SEGMENT_BYTES = 255


def is_batch_name(name: str) -> bool:
    """Is `name` a batch name as it stands (`BATCH_RULE`)?

    >>> is_batch_name("atlas-1784_a.2"), is_batch_name("a..b"), is_batch_name("../a"), is_batch_name("")
    (True, False, False, False)
    """
    return _BATCH.fullmatch(name) is not None and ".." not in name


def batch_partition(folder: str) -> str:
    """Partition of the drop folder `folder`: its name, or where that is no batch name a derived one.

    The derived name holds a hash of the whole name, so that two wrong names never share a partition.

    >>> batch_partition("atlas"), batch_partition("Karl der Große?")
    ('atlas', 'invalid-Karl-der-Gro-e-29fef013')
    """
    if is_batch_name(folder) and not folder.startswith("invalid-"):
        return folder
    digest = hashlib.sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", folder.removeprefix("invalid-")).strip("-")[:60].strip("-")
    return f"invalid-{slug}-{digest}" if slug else f"invalid-{digest}"


def path_fault(path: str) -> str:
    """The rule that `path` breaks as the path of a page inside a drop; '' where it breaks none."""
    if not path:
        return "a path is not empty"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return "a path has no NUL, control characters or lone surrogates"
    if "\\" in path:
        return "a path has '/' between its folders, never '\\'"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "a path is relative to the drop's folder"
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        return "a path has no empty, '.' or '..' part: it never leaves the drop"
    if any(segment.startswith(".") for segment in segments):
        return "a path has no hidden part (a leading '.'): the store keeps those for files on their way"
    if len(path.encode()) > _PATH_BYTES or any(len(segment.encode()) > _SEGMENT_BYTES for segment in segments):
        return f"a path has {_PATH_BYTES} bytes at most, each part {_SEGMENT_BYTES}"
    if path.casefold() == "manifest.json":
        return "the manifest is no page of itself"
    return ""


def shown(text: str, limit: int = 1024) -> str:
    """`text` safe to print, to log and to keep in PostgreSQL: what can't be shown is written as its escape."""
    out = []
    for character in text[:limit]:
        if unicodedata.category(character) in ("Cc", "Cs", "Cf", "Zl", "Zp"):
            out.append(character.encode("unicode_escape", "surrogatepass").decode("ascii"))
        else:
            out.append(character)
    return "".join(out) + ("…" if len(text) > limit else "")
