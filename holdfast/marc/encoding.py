"""What the bytes of a record are, whatever it declares; and how they may be decoded without loss.

Each record gets a verdict: what it claims (leader/09), what its bytes are, and how they were decoded. A conversion is used
only if it can be undone to the very same codes. Where that can't be had, the record is rejected with the byte and the
encodings that the value could be in; nothing is ever replaced.

The strict codecs of Python are one to one (UTF-8, Latin-1, CP1252: five bytes are no character there and are refused);
MARC-8 is `marc8`, ISO 5426 is `iso5426`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from holdfast.marc.iso5426 import Iso5426Error, decode_iso5426
from holdfast.marc.marc8 import Marc8Error, NotReversibleError, decode_marc8

CLAIMS = {b"a": "utf-8", b" ": "marc-8"}  # by leader/09 of MARC 21

# Verdicts on what the bytes of a record are.
FOUND = {
    "ascii": "no byte above 0x7F and no escape sequence",
    "utf-8": "UTF-8",
    "utf-8-twice": "UTF-8 of text that was UTF-8 already and was taken for Latin-1 or CP1252 ('Ã©' for 'é')",
    "marc-8": "MARC-8 (ASCII with ANSEL, and the sets that escape sequences call)",
    "iso-5426": "ISO 5426, the extended Latin set of UNIMARC",
    "latin-1": "Latin-1 (ISO 8859-1)",
    "cp1252": "Windows code page 1252",
    "mixed": "values in different encodings within one record",
    "unknown": "none of these",
}
ENCODINGS = ("utf-8", "marc-8", "cp1252", "latin-1", "utf-8-twice", "iso-5426")  # what a source may allow


class Reading(NamedTuple):
    """How records may be decoded. encodings: of ENCODINGS, tried in this order on what is not UTF-8. unimarc: the record's
    sets are declared in 100 $a/26-33, not in leader/09."""

    encodings: tuple[str, ...] = ("utf-8", "marc-8")
    unimarc: bool = False


MARC21 = Reading()
UNIMARC = Reading(("utf-8", "iso-5426"), unimarc=True)


class Verdict(NamedTuple):
    """texts: of the values, where they do not stand as UTF-8. fault: code, index of the value, byte in it, detail."""

    found: str
    used: str
    texts: list[str] | None = None
    fault: tuple[str, int, int, str] | None = None


# Records repeat their headings and place names; most conversions have been done before.
decode_value = lru_cache(maxsize=65536)(decode_marc8)


def _latin1(data: bytes) -> str:
    text = data.decode("latin-1")
    for position, character in enumerate(text):
        if "\x80" <= character <= "\x9f":  # control characters, which no catalogue holds
            raise UnicodeDecodeError("latin-1", data, position, position + 1, "a C1 control character")
    return text


_DECODERS: dict[str, Callable[[bytes], str]] = {
    "marc-8": lambda data: decode_value(data),
    "iso-5426": decode_iso5426,
    "cp1252": lambda data: data.decode("cp1252"),
    "latin-1": _latin1,
}

_ERRORS = (UnicodeDecodeError, Marc8Error, Iso5426Error)

# Characters that a byte above 0x7F becomes in CP1252, or in Latin-1 where CP1252 has none.
_BYTE_OF = {bytes([b]).decode("latin-1"): b for b in range(0x80, 0x100)}
_BYTE_OF |= {bytes([b]).decode("cp1252", "ignore"): b for b in range(0x80, 0x100) if b not in b"\x81\x8d\x8f\x90\x9d"}
_RUN = re.compile("[" + "".join(map(re.escape, _BYTE_OF)) + "]{2,}")


def undo_twice(text: str) -> str | None:
    """The text as it was before it was encoded a second time; None where it does not look so."""
    changed = False

    def undone(run: re.Match[str]) -> str:
        nonlocal changed
        try:
            before = bytes(_BYTE_OF[character] for character in run[0]).decode("utf-8")
        except UnicodeDecodeError:
            return run[0]
        changed = True
        return before

    result = _RUN.sub(undone, text)
    return result if changed else None


def _redone(text: str, was: str) -> bool:
    """Does encoding `text` a second time give `was`, byte for byte?"""
    position = 0
    for character in text:
        if character < "\x80":
            again = character
        elif was.startswith(character, position):
            again = character  # stood outside the runs
        else:
            codes = character.encode()
            again = was[position : position + len(codes)]
            if bytes(_BYTE_OF.get(each, 0) for each in again) != codes:
                return False
        if not was.startswith(again, position):
            return False
        position += len(again)
    return position == len(was)


def _plausible_marc8(text: str) -> bool:
    """Does every mark stand on a letter that is written with it?"""
    composed = unicodedata.normalize("NFC", text)
    return not any(unicodedata.combining(character) for character in composed)


@lru_cache(maxsize=4096)
def possible(data: bytes) -> tuple[str, ...]:
    """Encodings in which `data` is possible, the likeliest first.

    C1 control characters, which no catalogue holds, rule Latin-1 out; undefined bytes rule CP1252 out.
    """
    found: list[str] = []
    try:
        data.decode("utf-8")
        found.append("utf-8")
    except UnicodeDecodeError:
        pass
    single = []
    for name in ("latin-1", "cp1252"):
        try:
            text = _DECODERS[name](data)
        except UnicodeDecodeError:
            continue
        # Where both fit they say the same, and Latin-1 is the narrower claim.
        if not any("\x80" <= character <= "\x9f" for character in text):
            single.append(name)
    try:
        first = _plausible_marc8(decode_marc8(data))
        return tuple([*found, "marc-8", *single] if first else [*found, *single, "marc-8"])
    except Marc8Error:
        return tuple(found + single)


def candidates(data: bytes) -> str:
    """Names of the encodings in which `data` is possible, the likelier first; 'none' where nothing fits."""
    return ", ".join(possible(data)) or "none"


def what_bytes_are(span: bytes) -> str:
    """Verdict (a key of FOUND) on the bytes of a record, whatever its structure is."""
    if span.isascii():
        return "marc-8" if b"\x1b" in span else "ascii"
    try:
        return "utf-8-twice" if undo_twice(span.decode("utf-8")) is not None else "utf-8"
    except UnicodeDecodeError:
        return _of_parts([part for part in re.split(rb"[\x1d-\x1f]", span) if not part.isascii() or b"\x1b" in part])


def _is_utf8(part: bytes) -> bool:
    try:
        part.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of_parts(parts: Sequence[bytes]) -> str:
    """Verdict on values of which at least one is no UTF-8."""
    beyond = [part for part in parts if not part.isascii()]
    if any(_is_utf8(part) for part in beyond):
        return "mixed"
    fitting = [possible(part) for part in beyond or parts]
    for name in dict.fromkeys(name for names in fitting for name in names):
        if all(name in names for names in fitting):
            return name
    return "mixed" if all(fitting) else "unknown"


def judge(span: bytes, parts: Sequence[bytes], declared: str, reading: Reading) -> Verdict:
    """Verdict on a record whose structure is sound.

    Args:
        span: all of its bytes.
        parts: the values that hold a byte above 0x7F or an escape.
        declared: UNIMARC 100 $a/26-33; empty in MARC 21.
    """
    utf8_declared = declared[:2] == "50" if reading.unimarc else span[9:10] == b"a"
    beyond = [part for part in parts if not part.isascii()]
    if all(_is_utf8(part) for part in beyond) and (beyond or utf8_declared):
        if not beyond:
            return Verdict("ascii", "ascii")  # escape sequences, which are no encoding there
        return _utf8(parts, reading)
    if any(_is_utf8(part) for part in beyond):
        index = next(k for k, part in enumerate(parts) if not part.isascii() and not _is_utf8(part))
        other = next(k for k, part in enumerate(parts) if not part.isascii() and _is_utf8(part))
        detail = f"is no UTF-8 (candidates: {candidates(parts[index])}), but value {other + 1} of those beyond ASCII is"
        return Verdict("mixed", "", None, ("marc.encoding_mixed", index, _first_bad(parts[index]), detail))
    found = _of_parts(parts)
    if reading.unimarc and found in ("marc-8", "latin-1", "cp1252") and declared[:2] != "50":
        found = "iso-5426" if _decodes("iso-5426", parts) else found
    tries = [e for e in reading.encodings if e in _DECODERS and not (utf8_declared and e in ("marc-8", "iso-5426"))]
    failure: tuple[str, int, int, str] | None = None
    for name in tries:
        texts: list[str] = []
        for index, part in enumerate(parts):
            try:
                texts.append(_DECODERS[name](part))
            except _ERRORS as error:
                failure = failure or _failure(name, index, part, error)
                break
        else:
            return Verdict(name if found == "unknown" else found if found == name else name, name, texts)
    if failure is None:
        index = next((k for k, part in enumerate(parts) if not part.isascii()), 0)
        part = parts[index]
        says = "the record says UTF-8" if utf8_declared else f"only {', '.join(reading.encodings)} may be used"
        at = _first_bad(part) if not part.isascii() else part.find(b"\x1b")
        detail = f"byte {part[at]:02X}: {says}, and it is not; candidates: {candidates(part)}"
        failure = ("marc.encoding", index, at, detail)
    return Verdict(found, "", None, failure)


def _utf8(parts: Sequence[bytes], reading: Reading) -> Verdict:
    texts = [part.decode("utf-8") for part in parts]
    before = [undo_twice(text) for text in texts]
    if not any(each is not None for each in before):
        return Verdict("utf-8", "utf-8")
    once = [text if each is None else each for text, each in zip(texts, before, strict=True)]
    if "utf-8-twice" in reading.encodings and all(_redone(new, old) for new, old in zip(once, texts, strict=True)):
        return Verdict("utf-8-twice", "utf-8-twice", once)
    return Verdict("utf-8-twice", "utf-8")


def _decodes(name: str, parts: Sequence[bytes]) -> bool:
    try:
        for part in parts:
            _DECODERS[name](part)
    except _ERRORS:
        return False
    return True


def _first_bad(part: bytes) -> int:
    try:
        part.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _failure(name: str, index: int, part: bytes, error: Exception) -> tuple[str, int, int, str]:
    if isinstance(error, UnicodeDecodeError):
        offset, reason = error.start, error.reason
    else:
        offset, reason = getattr(error, "offset", 0), str(error)
    code = "marc.encoding_lossy" if isinstance(error, NotReversibleError) else "marc.encoding"
    names = {"marc-8": "MARC-8", "iso-5426": "ISO 5426", "cp1252": "CP1252", "latin-1": "Latin-1"}
    return code, index, offset, f"not {names[name]}, {reason}; candidates: {candidates(part)}"
