"""Cut a stream of ISO 2709 into blocks of whole records, so that memory does not depend on the file's size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

RECORD_TERMINATOR = b"\x1d"

# Ten times what ISO 2709 lets a record be: what has no terminator by then is no record, and is cut there.
_LONGEST_SPAN = 1_000_000


class Block(NamedTuple):
    """data: whole records, except in the last block of a file that is cut. offset: of data[0] in the file."""

    data: bytes
    offset: int
    last: bool


def read_blocks(stream: BinaryIO, block_bytes: int = 2_800_000) -> Iterator[Block]:
    """Blocks of about `block_bytes` bytes that end with a record terminator. Together they are the file, byte for byte."""
    carried = b""
    offset = 0
    while True:
        read = stream.read(block_bytes)
        data = carried + read
        if not read:
            yield Block(data, offset, True)
            return
        cut = data.rfind(RECORD_TERMINATOR) + 1
        if cut == 0 and len(data) > _LONGEST_SPAN:
            cut = len(data)
        if cut:
            yield Block(data[:cut], offset, False)
            offset += cut
        carried = data[cut:]
