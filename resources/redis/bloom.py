"""The arithmetic of a Bloom filter, vectorised: which bits stand for a fingerprint.

Source: B. H. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13 (7), 1970; A. Kirsch and
M. Mitzenmacher, Less hashing, same performance, ESA 2006 (two hashes stand for all).
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_HEADER = struct.Struct("<II")
HEADER_BYTES = _HEADER.size
# A Redis string ends at 512 MiB, and a bit's number has 32 bits.
_MOST_BITS = 2**32 - 1 - 8 * HEADER_BYTES

Positions = npt.NDArray[np.uint64]


class Size(NamedTuple):
    """How large a Bloom filter is: its bits and its hash functions."""

    bits: int
    hashes: int

    @classmethod
    def for_capacity(cls, capacity: int, error_rate: float) -> Size:
        bits = math.ceil(-capacity * math.log(error_rate) / math.log(2) ** 2)
        bits = min(max(bits, 64), _MOST_BITS)
        return cls(bits, min(max(1, round(bits / capacity * math.log(2))), 32))

    @classmethod
    def of(cls, stored: bytes) -> Size:
        """The size that the header of a stored filter says."""
        return cls(*_HEADER.unpack_from(stored))

    @property
    def header(self) -> bytes:
        return _HEADER.pack(self.bits, self.hashes)

    @property
    def stored_bytes(self) -> int:
        return HEADER_BYTES + (self.bits + 7) // 8


def positions(fingerprints: Sequence[str], size: Size) -> Positions:
    """A row a fingerprint, a column a hash function: numbers of bits of the stored filter, the header's bits counted."""
    digests = b"".join(hashlib.blake2b(each.encode(), digest_size=16).digest() for each in fingerprints)
    halves = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    bits = np.uint64(size.bits)
    first, step = halves[:, :1] % bits, halves[:, 1:] % (bits - np.uint64(1)) + np.uint64(1)
    # Both are below 2**32 and the hashes few: no product comes near 2**64.
    numbers = (first + np.arange(size.hashes, dtype=np.uint64) * step) % bits
    return numbers + np.uint64(8 * HEADER_BYTES)


def packed(numbers: Positions) -> bytes:
    """Little-endian uint32, row by row, for a script."""
    return bytes(numbers.astype("<u4").tobytes())


def stored(numbers: Positions, size: Size) -> bytes:
    """A whole stored filter that holds these and nothing else; bit 0 is the highest of its byte, as SETBIT has it."""
    bits = np.zeros(8 * size.stored_bytes, dtype=np.uint8)
    bits[numbers.ravel()] = 1
    return size.header + np.packbits(bits)[HEADER_BYTES:].tobytes()


def held(numbers: Positions, filter_bytes: bytes) -> list[bool]:
    """For each row, whether all its bits are set in the stored filter `filter_bytes`."""
    octets = np.frombuffer(filter_bytes, dtype=np.uint8)
    index = numbers >> np.uint64(3)
    # Redis keeps no zeros behind the last byte that was ever set.
    there = index < len(octets)
    octet = octets[np.where(there, index, 0)]
    bit = (octet >> (7 - (numbers & np.uint64(7))).astype(np.uint8)) & 1
    return [bool(each) for each in ((bit == 1) & there).all(axis=1)]
