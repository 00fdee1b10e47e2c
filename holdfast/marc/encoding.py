"""What bytes may be in, when they are not in what the record declares."""

from __future__ import annotations

from functools import lru_cache

from holdfast.marc.marc8 import Marc8Error, decode_marc8

# Records repeat their headings and place names; most conversions have been done before.
decode_value = lru_cache(maxsize=65536)(decode_marc8)


def candidates(data: bytes) -> str:
    """Names of the encodings in which `data` is possible, the likelier first; 'none' where nothing fits.

    C1 control characters, which no catalogue holds, rule Latin-1 out; undefined bytes rule CP1252 out.
    """
    found = []
    for name in ("utf-8", "cp1252", "latin-1"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if not any("\x80" <= character <= "\x9f" for character in text):
            found.append(name)
    try:
        decode_marc8(data)
        found.append("marc-8")
    except Marc8Error:
        pass
    return ", ".join(found) or "none"
