"""An eSCL scanner that answers as the specification says, in memory."""

from __future__ import annotations

from collections.abc import Callable

import httpx

NS = 'xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03" xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"'


def capabilities(*, feeder: bool = True, formats: tuple[str, ...] = ("application/pdf", "image/jpeg")) -> bytes:
    kinds = "".join(f"<pwg:DocumentFormat>{each}</pwg:DocumentFormat>" for each in formats)
    profile = (
        f"<scan:SettingProfile><scan:ColorModes><scan:ColorMode>Grayscale8</scan:ColorMode><scan:ColorMode>RGB24"
        f"</scan:ColorMode></scan:ColorModes><scan:DocumentFormats>{kinds}</scan:DocumentFormats>"
        "<scan:SupportedResolutions><scan:DiscreteResolutions>"
        + "".join(
            f"<scan:DiscreteResolution><scan:XResolution>{dpi}</scan:XResolution><scan:YResolution>{dpi}"
            "</scan:YResolution></scan:DiscreteResolution>"
            for dpi in (200, 400, 600)
        )
        + "</scan:DiscreteResolutions></scan:SupportedResolutions></scan:SettingProfile>"
    )
    adf = f"<scan:Adf><scan:AdfSimplexInputCaps>{profile}</scan:AdfSimplexInputCaps></scan:Adf>" if feeder else ""
    return (
        f'<?xml version="1.0"?><scan:ScannerCapabilities {NS}><pwg:MakeAndModel>Office 5</pwg:MakeAndModel>'
        f"<pwg:SerialNumber>S1</pwg:SerialNumber><scan:Platen><scan:PlatenInputCaps>{profile}</scan:PlatenInputCaps>"
        f"</scan:Platen>{adf}</scan:ScannerCapabilities>"
    ).encode()


class Device:
    """Takes jobs and gives `pages`; `busy` answers come first on each path."""

    def __init__(
        self, pages: list[bytes], *, feeder: bool = True, adf: str = "ScannerAdfLoaded", busy: int = 0
    ) -> None:
        self.pages, self.feeder, self.adf, self.busy = list(pages), feeder, adf, busy
        self.formats: tuple[str, ...] = ("application/pdf", "image/jpeg")
        self.bodies: list[bytes] = []
        self.cancelled = 0
        self.override: dict[str, Callable[[httpx.Request], httpx.Response]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        if name in self.override:
            return self.override[name](request)
        if self.busy and name in ("ScanJobs", "NextDocument"):
            self.busy -= 1
            return httpx.Response(503, headers={"Retry-After": "3"})
        if name == "ScannerCapabilities":
            return httpx.Response(200, content=capabilities(feeder=self.feeder, formats=self.formats))
        if name == "ScannerStatus":
            state = f"<pwg:State>Idle</pwg:State><scan:AdfState>{self.adf}</scan:AdfState>"
            return httpx.Response(200, content=f"<scan:ScannerStatus {NS}>{state}</scan:ScannerStatus>".encode())
        if name == "ScanJobs" and request.method == "POST":
            self.bodies.append(request.content)
            return httpx.Response(201, headers={"Location": "/eSCL/ScanJobs/7"})
        if name == "NextDocument":
            if not self.pages:
                return httpx.Response(404)
            return httpx.Response(200, content=self.pages.pop(0), headers={"Content-Type": "image/jpeg"})
        if request.method == "DELETE":
            self.cancelled += 1
            return httpx.Response(200)
        return httpx.Response(404)
