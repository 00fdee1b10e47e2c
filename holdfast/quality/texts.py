"""Texts that come from records and files, as they may be shown to people."""

from __future__ import annotations

import re

from holdfast.quality.figures import MASKED

# Controls, what turns the direction of text, and what HTML may not hold.
_INVISIBLE = re.compile(r"[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")


def legible(value: object) -> str:
    """Without masked values; control characters as their pictures, so that nothing vanishes or turns the text around."""
    text = re.sub(MASKED, "pii:…", "" if value is None else str(value))
    text = re.sub(r"[\x00-\x1f]", lambda match: chr(0x2400 + ord(match[0])), text)
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def in_markdown(text: str) -> str:
    """A legible text that stands for itself in a cell of a table of Markdown: no link, no picture, no HTML."""
    return re.sub(r"([\\`*_\[\]<>|~])", r"\\\1", text).replace("&", "&amp;")
