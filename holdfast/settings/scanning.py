"""Tables `scanners.NAME`: devices that leave pages."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from holdfast.settings.checks import Table


class Scanner(Table):
    """A device that leaves pages."""

    title: str = Field(default="", description="shown to people")
    kind: Literal["hot_folder", "escl"] = Field(
        default="hot_folder", description="how pages come: it leaves drops, or it is asked over eSCL"
    )
    address: str = Field(default="", description="of an eSCL scanner: http://host:port/eSCL")
    languages: tuple[str, ...] = Field(default=("eng",), description="Tesseract's names, as eng, deu, fra")
    still_seconds: float = Field(
        default=3, ge=0, description="a drop is complete once nothing in it changed for so long"
    )

    @model_validator(mode="after")
    def _escl_has_address(self) -> Scanner:
        if self.kind == "escl" and not re.match(r"https?://", self.address):
            raise ValueError("address: an eSCL scanner needs its address, as http://127.0.0.1:8090/eSCL")
        return self
