"""What settings call things by: names of their own, MARC tags, subfields and indicators, each held to a form."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_TAGS = "[0-9]{3}|[0-9]{2}X|[0-9]XX"  # X: any digit
_LETTERED = "[A-WYZ][0-9A-WYZ]{2}"  # AVA, LDR


def held_to(pattern: str, must: str) -> AfterValidator:
    """A check that the whole of a text matches; `must` is what is said where it does not."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(must)
        return value

    return AfterValidator(check)


# Names become partition keys and folders: '|' and '/' would make them ambiguous.
Name = Annotated[
    str,
    held_to("[a-z][a-z0-9_]{0,39}", "must be lower-case letters, digits and '_', starting with a letter, 40 at most"),
]
TagPattern = Annotated[
    str, held_to(f"{_TAGS}|{_LETTERED}", "must be a MARC tag, as '650', '65X', '6XX', 'AVA' or 'LDR'")
]
FieldSpec = Annotated[
    str,
    held_to(
        rf"({_TAGS}|{_LETTERED})(\$[a-z0-9])?",
        "must be a MARC tag, with a subfield or without, as '541$h', '583', '59X' or 'AVA'",
    ),
]
# Of a field whose tag is a number: validation has no other.
NumberedSpec = Annotated[
    str,
    held_to(rf"({_TAGS})(\$[a-z0-9])?", "must be a MARC tag, with a subfield or without, as '245$a', '245' or '24X'"),
]
Indicator = Annotated[str, held_to("[ 0-9a-z]", "must be an indicator: a digit, a small letter or a space")]
Indicators = Annotated[
    str, held_to("[ 0-9a-z]+", "must be the characters that are allowed, as ' 14' (a blank is one of them)")
]
