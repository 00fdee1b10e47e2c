"""SHA-256 and SHA-1 of many short texts in one compiled call, without the GIL.

`hashlib` asks for a Python object a text and holds the GIL for each that is short; a load makes two of them a record.

Source: FIPS 180-4, sections 5 and 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.marc.kernel import compiled

_ROUNDS_256 = np.array(
    [
        0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5, 0xD807AA98, 0x12835B01,
        0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174, 0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC,
        0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA, 0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147,
        0x06CA6351, 0x14292967, 0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
        0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070, 0x19A4C116, 0x1E376C08,
        0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3, 0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208,
        0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
    ],
    dtype=np.uint32,
)  # fmt: skip
_START_256 = np.array(
    [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19], dtype=np.uint32
)
_START_1 = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], dtype=np.uint32)
_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@compiled
def _pad(text: Any, size: int) -> int:
    """Pad the text in its place (section 5.1.1); the bytes that it has then."""
    whole = (size + 9 + 63) // 64 * 64
    text[size] = 0x80
    for k in range(size + 1, whole - 8):
        text[k] = 0
    bits = size * 8
    for k in range(8):
        text[whole - 1 - k] = (bits >> (8 * k)) & 0xFF
    return whole


@compiled
def _rotated(word: Any, by: int) -> Any:
    return np.uint32((word >> np.uint32(by)) | (word << np.uint32(32 - by)))


@compiled
def _word(text: Any, at: int) -> Any:
    return (
        np.uint32(text[at]) << np.uint32(24) | np.uint32(text[at + 1]) << np.uint32(16)
        | np.uint32(text[at + 2]) << np.uint32(8) | np.uint32(text[at + 3])
    )  # fmt: skip


@compiled
def sha256(text: Any, size: int, words: Any, state: Any) -> None:
    """Into `state` (uint32[8]) the digest of the first `size` bytes of `text`, which has room for the padding. words: uint32[64]."""
    for k in range(8):
        state[k] = _START_256[k]
    for start in range(0, _pad(text, size), 64):
        for k in range(16):
            words[k] = _word(text, start + 4 * k)
        for k in range(16, 64):
            two, fifteen = words[k - 2], words[k - 15]
            first = _rotated(fifteen, 7) ^ _rotated(fifteen, 18) ^ (fifteen >> np.uint32(3))
            second = _rotated(two, 17) ^ _rotated(two, 19) ^ (two >> np.uint32(10))
            words[k] = np.uint32(words[k - 16] + first + words[k - 7] + second)
        a, b, c, d, e, f, g, h = state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
        for k in range(64):
            mixed = _rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)
            one = np.uint32(h + mixed + ((e & f) ^ (~e & g)) + _ROUNDS_256[k] + words[k])
            mixed = _rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)
            two = np.uint32(mixed + ((a & b) ^ (a & c) ^ (b & c)))
            h, g, f, e, d, c, b, a = g, f, e, np.uint32(d + one), c, b, a, np.uint32(one + two)
        for k, value in enumerate((a, b, c, d, e, f, g, h)):
            state[k] = np.uint32(state[k] + value)


@compiled
def sha1(text: Any, size: int, words: Any, state: Any) -> None:
    """As `sha256`, five words of `state`; 80 words."""
    for k in range(5):
        state[k] = _START_1[k]
    for start in range(0, _pad(text, size), 64):
        for k in range(16):
            words[k] = _word(text, start + 4 * k)
        for k in range(16, 80):
            words[k] = _rotated(words[k - 3] ^ words[k - 8] ^ words[k - 14] ^ words[k - 16], 31)
        a, b, c, d, e = state[0], state[1], state[2], state[3], state[4]
        for k in range(80):
            if k < 20:
                mixed, constant = (b & c) | (~b & d), np.uint32(0x5A827999)
            elif k < 40:
                mixed, constant = b ^ c ^ d, np.uint32(0x6ED9EBA1)
            elif k < 60:
                mixed, constant = (b & c) | (b & d) | (c & d), np.uint32(0x8F1BBCDC)
            else:
                mixed, constant = b ^ c ^ d, np.uint32(0xCA62C1D6)
            one = np.uint32(_rotated(a, 27) + mixed + e + constant + words[k])
            e, d, c, b, a = d, c, _rotated(b, 2), a, one
        for k, value in enumerate((a, b, c, d, e)):
            state[k] = np.uint32(state[k] + value)


@compiled
def _put_hex(word: Any, count: int, out: Any, at: int) -> int:
    """The first `count` digits of a word; the place behind them."""
    for k in range(count):
        out[at + k] = _DIGITS[(word >> np.uint32(28 - 4 * k)) & np.uint32(15)]
    return at + count


@compiled
def _put_bytes(source: Any, start: int, end: int, out: Any, at: int) -> int:
    for k in range(start, end):
        out[at] = source[k]
        at += 1
    return at


@compiled
def _put_number(number: Any, out: Any, at: int) -> int:
    """The decimal digits of a number that is not negative."""
    width, rest = 1, number // 10
    while rest:
        width, rest = width + 1, rest // 10
    for k in range(width):
        out[at + width - 1 - k] = 48 + number % 10
        number //= 10
    return at + width


@compiled
def _put_part(name: Any, source: Any, start: int, end: int, out: Any, at: int) -> int:
    """A part of `identity.named_parts`. name: with its colon."""
    at = _put_bytes(name, 0, len(name), out, at)
    at = _put_number(end - start, out, at)
    out[at] = 0x3A
    at = _put_bytes(source, start, end, out, at + 1)
    out[at] = 0x3B
    return at + 1


@compiled
def fingerprints(
    number_name: Any, numbers: Any, number_offsets: Any, date_name: Any, dates: Any, date_offsets: Any, longest: int, out: Any
) -> None:  # fmt: skip
    """Into `out`, 64 digits each, the SHA-256 of two named parts. longest: bytes that a text may have, padding included."""
    text = np.empty(longest, dtype=np.uint8)
    words, state = np.empty(64, dtype=np.uint32), np.empty(8, dtype=np.uint32)
    for row in range(len(number_offsets) - 1):
        size = _put_part(number_name, numbers, number_offsets[row], number_offsets[row + 1], text, 0)
        size = _put_part(date_name, dates, date_offsets[row], date_offsets[row + 1], text, size)
        sha256(text, size, words, state)
        for k in range(8):
            _put_hex(state[k], 8, out, row * 64 + k * 8)


@compiled
def correlation_ids(
    prefix: Any, number_name: Any, records: Any, print_name: Any, prints: Any, offsets: Any, longest: int, out: Any
) -> None:
    """Into `out`, 36 characters each, the UUIDv5 (RFC 9562, section 5.5) of `prefix` (namespace and first parts) and two parts."""
    text = np.empty(longest, dtype=np.uint8)
    own = np.empty(20, dtype=np.uint8)
    words, state = np.empty(80, dtype=np.uint32), np.empty(5, dtype=np.uint32)
    begin = _put_bytes(prefix, 0, len(prefix), text, 0)
    for row in range(len(offsets) - 1):
        # The padding of the text before went over nothing of the prefix.
        size = _put_part(number_name, own, 0, _put_number(np.int64(records[row]), own, 0), text, begin)
        size = _put_part(print_name, prints, offsets[row], offsets[row + 1], text, size)
        sha1(text, size, words, state)
        at = _put_hex(state[0], 8, out, row * 36)
        out[at] = 0x2D
        at = _put_hex(state[1], 4, out, at + 1)
        out[at], out[at + 1] = 0x2D, 0x35
        at = _put_hex(state[1] << np.uint32(20), 3, out, at + 2)
        out[at] = 0x2D
        at = _put_hex((state[2] & np.uint32(0x3FFFFFFF)) | np.uint32(0x80000000), 4, out, at + 1)
        out[at] = 0x2D
        at = _put_hex(state[2] << np.uint32(16), 4, out, at + 1)
        _put_hex(state[3], 8, out, at)
