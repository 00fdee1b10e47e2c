"""Names of files that others gave: the day in them, and which of them are not taken."""

from __future__ import annotations

import datetime as dt
import os
import re

# Names that transfer programs give to what they have not finished.
UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".crdownload")


def is_unfinished(name: str) -> bool:
    return name.lower().endswith(UNFINISHED)


def shown_name(name: str) -> str:
    """A file's name as text that can be stored: bytes in it that are not UTF-8 are shown as U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def refusal(name: str) -> str:
    """Why a file of that name is not taken; '' where it is.

    A name is one step of a path. One that would lead elsewhere, or would end a line of a protocol, is a mistake or an
    attack, and a person should look at it.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        return "its name is a path"
    if any(ord(character) < 0x20 or character == "\x7f" for character in name):
        return "its name has a control character"
    return ""


def day_in_name(pattern: str, name: str) -> dt.date | None:
    """The day that a vendor puts into the name; None where there is none, or no such day in the calendar.

    `pattern` (setting `file_day`) has a group `day` (YYYYMMDD, YYMMDD or YYYY-MM-DD with any separator) or the groups
    `year`, `month` and `date`.
    """
    found = re.search(pattern, name)
    if found is None:
        return None
    groups = found.groupdict()
    if groups.get("day") is not None:
        digits = re.sub(r"\D", "", groups["day"])
        if len(digits) not in (6, 8):
            return None
        parts = (digits[:-4], digits[-4:-2], digits[-2:])
    else:
        parts = (groups.get("year") or "", groups.get("month") or "", groups.get("date") or "")
    try:
        year, month, day = (int(part) for part in parts)
        return dt.date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None
