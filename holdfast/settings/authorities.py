"""Tables `authorities.NAME`: files of authority records that headings are linked to."""

from __future__ import annotations

from pydantic import Field

from holdfast.settings.checks import Table


class AuthorityFiles(Table):
    """Authority records that headings are linked to: of one agency or thesaurus, in one file or several."""

    title: str = Field(default="", description="shown to people")
    pattern: str = Field(default="*.mrc*", description="names of the files in its folder that count; gzip by `.gz`")
    thesaurus: str = Field(
        default="",
        pattern=r"^[a-z0-9/]{0,20}$",
        description="MARC source code (lcsh, mesh, gnd …) of records that name none in 008/11 or 040 $f",
    )
    still_seconds: float = Field(default=3, ge=0, description="a file is complete once it has not changed for so long")
