"""A piece of text around what was looked for."""

from __future__ import annotations

import re
import unicodedata

WIDTH = 160


def fold(text: str) -> str:
    """Lower case without accents, character for character: the result is as long as `text`.

    >>> fold("Dürer, Ștefan")
    'durer, stefan'
    """
    return "".join((unicodedata.normalize("NFKD", each) or each)[0].lower()[0] for each in text)


def snippet(text: str, query: str, width: int = WIDTH) -> str:
    """`width` characters or so of `text`, on one line, from a little before the first word of `query` that stands in it."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    folded = fold(text)
    found = [at for word in re.findall(r"\w+", fold(query)) if (at := folded.find(word)) >= 0]
    start = max(0, min(found, default=0) - width // 4)
    start = text.rfind(" ", 0, start) + 1 if start else 0
    end = start + width
    end = max(text.rfind(" ", start, end), start + width // 2) if end < len(text) else len(text)
    return ("… " if start else "") + text[start:end].strip() + (" …" if end < len(text) else "")
