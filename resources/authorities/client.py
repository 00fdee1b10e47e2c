"""The authority files of the settings, as they lie in their folders."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import polars as pl

from holdfast.authority.records import AuthorityFile, nothing, read_authorities
from holdfast.marc import read_blocks, read_columns
from holdfast.marc.faults import rejection_of
from holdfast.outcomes import Rejection
from holdfast.settings import Settings
from resources.vault.drops import is_unfinished

_RULES = {
    "authority.not_authority": (
        "leader/06 of an authority record is z (MARC 21 Authority, leader)",
        "take bibliographic and holdings records out of the file",
    ),
    "authority.no_heading": (
        "an authority record has one 1XX field with its heading (MARC 21 Authority, 1XX)",
        "add the heading, or take the record out of the file",
    ),
    "authority.no_number": (
        "an authority is named by its LCCN (010 $a) or control number (001)",
        "add 001 at the agency that keeps the record",
    ),
    "authority.unreadable_file": ("a file that ends in .gz is whole and gzip", "fetch the file again"),
}


class ReadPart(NamedTuple):
    """A block of a file. records: how many came in, readable or not."""

    found: AuthorityFile
    rejections: list[Rejection]
    records: int


class AuthorityFolder:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def names(self) -> list[str]:
        return sorted(self._settings.authorities)

    def listing(self, name: str) -> list[Path]:
        """The files of `[authorities.NAME]`, in the order of their names; none that is still being written."""
        folder = self._settings.authority_files / name
        if not folder.is_dir():
            return []
        pattern = self._settings.authorities[name].pattern
        files = [each for each in folder.iterdir() if each.is_file() and not each.is_symlink() and each.match(pattern)]
        return sorted(each for each in files if not is_unfinished(each.name))

    def read(self, name: str, file: Path) -> Iterator[ReadPart]:
        """The file block by block; memory holds one block. Never raises for what is in it."""
        thesaurus = self._settings.authorities[name].thesaurus if name in self._settings.authorities else ""
        yield from read_file(
            file, authority_file=name, thesaurus=thesaurus, block_bytes=self._settings.limits.block_bytes
        )


def read_file(
    file: Path, *, authority_file: str, thesaurus: str = "", block_bytes: int = 4_000_000
) -> Iterator[ReadPart]:
    """A file of authority records in ISO 2709, plain or gzip, block by block."""
    count = 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            for block in read_blocks(cast(BinaryIO, stream), block_bytes):
                frames = read_columns(block, count + 1)
                found = read_authorities(
                    frames, authority_file=authority_file, file=f"{authority_file}/{file.name}", thesaurus=thesaurus
                )
                unreadable = [
                    rejection_of(row, file.name)
                    for row in frames.records.filter(pl.col("fault").is_not_null()).iter_rows(named=True)
                ]
                rejected = [
                    _rejection(file.name, f"record {row['record']}: {row['fault_detail']}", row["fault"])
                    for row in found.rejected.iter_rows(named=True)
                ]
                count += frames.records.height
                yield ReadPart(found, unreadable + rejected, frames.records.height)
    except (OSError, EOFError, zlib.error) as error:
        place = f"after record {count}: {error}"
        yield ReadPart(nothing(), [_rejection(file.name, place, "authority.unreadable_file", "file")], 1)


def _rejection(file: str, place: str, code: str, unit: str = "record") -> Rejection:
    rule, hint = _RULES[code]
    return Rejection(code=code, place=f"{file} {place}", rule=rule, hint=hint, unit=unit)
