"""A drop's `manifest.json`: who scanned what, with the SHA-256 and length of every page.

    {"id": "b-1", "scanner_id": "bookeye", "scanner_model": "Bookeye 5", "resolution_dpi": 300,
     "color_profile": "sRGB", "settings": {"mode": "RGB24"},
     "file_paths": [{"path": "pages/0001.tif", "sha256": "<64 hex>", "bytes": 25165824}]}

A fault of the manifest rejects the batch; a fault of one entry of `file_paths` rejects that page alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from holdfast.outcomes import Rejection, scrub
from holdfast.preservation.naming import path_fault, shown

NAME = "manifest.json"

_HINT = "export the manifest again from the scanning software, or correct the key by hand and drop the batch again"


def _plain_text(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError("must not hold control characters or lone surrogates")
    return value


class PageEntry(BaseModel):
    """One entry of `file_paths`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    path: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9A-Fa-f]{64}$")
    bytes: int = Field(ge=0, le=2**53)

    @field_validator("sha256")
    @classmethod
    def _in_lower_case(cls, value: str) -> str:
        return value.lower()

    @field_validator("path")
    @classmethod
    def _stays_in_the_drop(cls, value: str) -> str:
        if fault := path_fault(value):
            raise ValueError(fault)
        return value


class Header(BaseModel):
    """The manifest without its pages. Keys that are not known are allowed: vendors add their own."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    id: str = Field(min_length=1, max_length=200)
    scanner_id: str = Field(min_length=1, max_length=200)
    scanner_model: str = Field(min_length=1, max_length=200)
    resolution_dpi: int = Field(ge=50, le=10_000)
    color_profile: str = Field(max_length=200)
    settings: dict[str, Any]
    file_paths: list[Any] = Field(min_length=1)

    @field_validator("id", "scanner_id", "scanner_model", "color_profile")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        return _plain_text(value)


@dataclass(frozen=True)
class DeclaredPage:
    """What the manifest says of one page, and whether it may go on.

    Attributes:
        page: place in `file_paths`, from 1: the order of the pages.
        path: as declared; '' where the entry has none.
        entry: the checked entry; None where it is faulty.
        rejection: why not; None where `entry` is there.
    """

    page: int
    path: str
    entry: PageEntry | None
    rejection: Rejection | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest as read. `header` is None where the batch is rejected; then `rejections` says why."""

    sha256: str
    header: Header | None
    pages: tuple[DeclaredPage, ...] = ()
    rejections: tuple[Rejection, ...] = field(default=())

    def settings_json(self) -> str:
        return json.dumps(self.header.settings if self.header else {}, sort_keys=True)


class _Refused(ValueError):
    pass


def _no_constant(name: str) -> Any:
    raise _Refused(f"{name} is not JSON (RFC 8259, section 6)")


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(f"the key '{shown(twice)}' stands twice in one object (RFC 8259, section 4)")
    return table


def _parse(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_no_twice, parse_int=_whole
        )
    except UnicodeDecodeError as error:
        raise _Refused(f"byte {error.start} is not UTF-8 (RFC 8259, section 8.1)") from error
    except json.JSONDecodeError as error:
        raise _Refused(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise _Refused("nested too deep to be a manifest") from error


def _whole(digits: str) -> int:
    if len(digits) > 20:
        raise _Refused("a number of more than 20 digits is no length and no resolution")
    return int(digits)


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    """(key, rule) a fault, in the order found."""
    lines = []
    for each in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in each["loc"]) or "(the whole)"
        rule = "missing" if each["type"] == "missing" else each["msg"].removeprefix("Value error, ")
        lines.append((shown(key), rule[:1].lower() + rule[1:]))
    return lines


def _reject_batch(batch: str, code: str, key: str, rule: str, hint: str, sha256: str, preview: str = "") -> Rejection:
    place = f"{shown(batch)}/{NAME}" + (f" key {key}" if key else "")
    return Rejection(code=code, place=place, rule=rule, hint=hint, unit="batch", sha256=sha256, preview=preview)


def too_large(batch: str, size: int, limit: int) -> Manifest:
    """The verdict on a manifest above the byte limit, which is never read."""
    rule = f"a manifest has {limit:,} bytes at most (limits.manifest_bytes); this one has {size:,}"
    hint = "split the batch, or raise limits.manifest_bytes in holdfast.toml"
    return Manifest("", None, rejections=(_reject_batch(batch, "manifest.too_large", "", rule, hint, ""),))


def missing(batch: str) -> Manifest:
    """The verdict on a drop without a manifest."""
    rule = f"a drop has a {NAME} in its folder, a regular file"
    hint = "write the manifest as the last file of the drop"
    return Manifest("", None, rejections=(_reject_batch(batch, "manifest.missing", "", rule, hint, ""),))


def read_manifest(data: bytes, batch: str) -> Manifest:
    """The manifest in `data`, its faults as rejections. Never raises for what is in `data`."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        parsed = _parse(data)
    except _Refused as error:
        rejection = _reject_batch(batch, "manifest.json", "", str(error), _HINT, sha256, scrub(data))
        return Manifest(sha256, None, rejections=(rejection,))
    if not isinstance(parsed, dict):
        rule = f"a manifest is a JSON object; this is {type(parsed).__name__}"
        return Manifest(
            sha256, None, rejections=(_reject_batch(batch, "manifest.schema", "", rule, _HINT, sha256, scrub(data)),)
        )
    try:
        header = Header.model_validate(parsed)
    except ValidationError as error:
        rejections = tuple(
            _reject_batch(batch, "manifest.schema", key, rule, _HINT, sha256) for key, rule in _faults(error)
        )
        return Manifest(sha256, None, rejections=rejections)
    return Manifest(sha256, header, tuple(_read_entries(header.file_paths, batch)))


def _read_entries(entries: list[Any], batch: str) -> list[DeclaredPage]:
    pages: list[DeclaredPage] = []
    first: dict[str, int] = {}
    for number, raw in enumerate(entries, start=1):
        path = raw["path"] if isinstance(raw, dict) and isinstance(raw.get("path"), str) else ""
        try:
            entry = PageEntry.model_validate(raw)
        except ValidationError as error:
            rule = "; ".join(f"{key}: {rule}" for key, rule in _faults(error))
            code = "page.path" if path and path_fault(path) else "page.manifest_entry"
            hint = "correct this entry of file_paths and drop the batch again"
            pages.append(DeclaredPage(number, path, None, page_rejection(batch, number, path, code, rule, hint)))
            continue
        # Two spellings of one name would be one file on a store that folds case or normalizes.
        same = unicodedata.normalize("NFC", entry.path).casefold()
        if same in first:
            rule = f"a path stands once in file_paths; this one is already page {first[same]}"
            hint = "remove the second entry, or give it the path that it means"
            rejection = page_rejection(batch, number, path, "page.path_twice", rule, hint, entry.sha256)
            pages.append(DeclaredPage(number, path, None, rejection))
            continue
        first[same] = number
        pages.append(DeclaredPage(number, path, entry))
    return pages


def page_rejection(
    batch: str, page: int, path: str, code: str, rule: str, hint: str, sha256: str = "", preview: str = ""
) -> Rejection:
    """A rejection of one page; `place` names batch, page and path, so that it is the same in every run."""
    place = f"batch {shown(batch)} page {page} {shown(path)}".rstrip()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        sha256 = ""
    return Rejection(code=code, place=place, rule=rule, hint=hint, unit="page", sha256=sha256, preview=preview)
