"""A scanner that speaks eSCL (Mopria eSCL Technical Specification 2.97) over HTTP, with a feeder full of sample pages.

`python -m demo.scanner.escl --pages DIR --port N`. `POST /_demo/busy {"times": n}` makes it answer 503 to the next n
requests for a job or a page, as a scanner does that is warming up or in use.
"""

from __future__ import annotations

import argparse
import io
import socket
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvicorn
from lxml import etree
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
PWG = "http://www.pwg.org/schemas/2010/12/sm"
NAMESPACES = {"scan": SCAN, "pwg": PWG}
VERSION = "2.97"
MODEL, SERIAL = "Holdfast Demo Flatbed 1", "demo-scanner-1"
MODES = {"BlackAndWhite1": "1", "Grayscale8": "L", "RGB24": "RGB"}
FORMATS = ("image/jpeg", "image/png", "image/tiff")
RESOLUTIONS = (75, 100, 150, 200, 300, 600)
PAGE_TYPES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
NATIVE_DPI = 300
LARGEST_REQUEST = 64 * 1024


class BadSettings(ValueError):
    """The ScanSettings cannot be read or ask for what the scanner cannot do."""


@dataclass(frozen=True)
class Settings:
    """What one job asked for."""

    mode: str = "Grayscale8"
    resolution: int = NATIVE_DPI
    document_format: str = "image/jpeg"

    @classmethod
    def read(cls, data: bytes) -> Settings:
        """From a `scan:ScanSettings` document. Raises BadSettings."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            raise BadSettings(f"no XML: {error}") from error
        if root.tag != f"{{{SCAN}}}ScanSettings":
            raise BadSettings(f"ScanSettings were expected, not {root.tag}")

        def text(path: str, default: str) -> str:
            return (root.findtext(path, namespaces=NAMESPACES) or default).strip()

        mode = text("scan:ColorMode", cls.mode)
        wanted = text("scan:XResolution", str(cls.resolution))
        down = text("scan:YResolution", wanted)
        document_format = text("scan:DocumentFormatExt", text("pwg:DocumentFormat", cls.document_format))
        if mode not in MODES:
            raise BadSettings(f"ColorMode {mode!r}: one of {', '.join(MODES)} is possible")
        if wanted != down or not wanted.isdecimal() or int(wanted) not in RESOLUTIONS:
            raise BadSettings(
                f"resolution {wanted!r} x {down!r}: one of {RESOLUTIONS}, the same both ways, is possible"
            )
        if document_format not in FORMATS:
            raise BadSettings(f"document format {document_format!r}: one of {', '.join(FORMATS)} is possible")
        return cls(mode, int(wanted), document_format)


@dataclass
class Job:
    """A scan of all that lies in the feeder; `next_page` is the page that NextDocument gives."""

    settings: Settings
    next_page: int = 0
    canceled: bool = False


@dataclass
class Scanner:
    """The machine: its pages, its jobs, and how often it will still say that it is busy."""

    pages: list[Path]
    jobs: dict[str, Job] = field(default_factory=dict)
    busy: int = 0

    @classmethod
    def with_pages(cls, folder: Path) -> Scanner:
        return cls(sorted(path for path in folder.iterdir() if path.suffix.lower() in PAGE_TYPES))

    def is_busy(self) -> bool:
        if self.busy == 0:
            return False
        self.busy -= 1
        return True

    def scanned(self, job: Job) -> bytes | None:
        """The next page as the job wants it; None when the feeder is empty. Raises OSError on a damaged page."""
        if job.canceled or job.next_page >= len(self.pages):
            return None
        path = self.pages[job.next_page]
        job.next_page += 1
        with Image.open(path) as image:
            picture = image.convert(MODES[job.settings.mode])
        wanted = job.settings.resolution
        if wanted != NATIVE_DPI:
            size = (picture.width * wanted // NATIVE_DPI, picture.height * wanted // NATIVE_DPI)
            picture = picture.resize(size)
        buffer = io.BytesIO()
        kind = job.settings.document_format.removeprefix("image/").upper()
        if kind == "JPEG" and picture.mode == "1":
            picture = picture.convert("L")
        picture.save(buffer, kind, dpi=(wanted, wanted))
        return buffer.getvalue()


def _document(name: str) -> etree._Element:
    return etree.Element(f"{{{SCAN}}}{name}", nsmap=NAMESPACES)


def _add(parent: etree._Element, name: str, text: object = None) -> etree._Element:
    prefix, _, local = name.partition(":")
    child = etree.SubElement(parent, f"{{{NAMESPACES[prefix]}}}{local}")
    child.text = None if text is None else str(text)
    return child


def _xml(root: etree._Element, status: int = 200) -> Response:
    data = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return Response(data, status, media_type="text/xml")


def capabilities() -> etree._Element:
    """`scan:ScannerCapabilities`: a flatbed, A4, lengths in 300ths of an inch."""
    root = _document("ScannerCapabilities")
    _add(root, "pwg:Version", VERSION)
    _add(root, "pwg:MakeAndModel", MODEL)
    _add(root, "pwg:SerialNumber", SERIAL)
    _add(root, "scan:UUID", uuid.uuid5(uuid.NAMESPACE_URL, f"urn:holdfast:{SERIAL}"))
    caps = _add(_add(root, "scan:Adf"), "scan:AdfSimplexInputCaps")
    for name, value in (("MinWidth", 16), ("MaxWidth", 2550), ("MinHeight", 16), ("MaxHeight", 3508)):
        _add(caps, f"scan:{name}", value)
    profile = _add(_add(caps, "scan:SettingProfiles"), "scan:SettingProfile")
    modes = _add(profile, "scan:ColorModes")
    for mode in MODES:
        _add(modes, "scan:ColorMode", mode)
    formats = _add(profile, "scan:DocumentFormats")
    for name in FORMATS:
        _add(formats, "pwg:DocumentFormat", name)
    for name in FORMATS:
        _add(formats, "scan:DocumentFormatExt", name)
    resolutions = _add(_add(profile, "scan:SupportedResolutions"), "scan:DiscreteResolutions")
    for dpi in RESOLUTIONS:
        pair = _add(resolutions, "scan:DiscreteResolution")
        _add(pair, "scan:XResolution", dpi)
        _add(pair, "scan:YResolution", dpi)
    return root


def status(scanner: Scanner) -> etree._Element:
    """`scan:ScannerStatus` with the jobs, the newest first."""
    root = _document("ScannerStatus")
    _add(root, "pwg:Version", VERSION)
    at_work = any(not job.canceled and job.next_page < len(scanner.pages) for job in scanner.jobs.values())
    _add(root, "pwg:State", "Processing" if scanner.busy or at_work else "Idle")
    _add(root, "scan:AdfState", "ScannerAdfLoaded" if scanner.pages else "ScannerAdfEmpty")
    jobs = _add(root, "scan:Jobs")
    for job_id, job in reversed(scanner.jobs.items()):
        info = _add(jobs, "scan:JobInfo")
        _add(info, "pwg:JobUri", f"/eSCL/ScanJobs/{job_id}")
        _add(info, "pwg:JobUuid", job_id)
        _add(info, "pwg:ImagesCompleted", job.next_page)
        _add(info, "pwg:ImagesToTransfer", 0 if job.canceled else len(scanner.pages) - job.next_page)
        finished = job.next_page >= len(scanner.pages)
        _add(info, "pwg:JobState", "Canceled" if job.canceled else "Completed" if finished else "Processing")
    return root


def _busy() -> Response:
    return Response("The scanner is busy", 503, {"Retry-After": "1"}, "text/plain")


def build(scanner: Scanner) -> Starlette:
    async def read_capabilities(_: Request) -> Response:
        return _xml(capabilities())

    async def read_status(_: Request) -> Response:
        return _xml(status(scanner))

    async def create(request: Request) -> Response:
        if scanner.is_busy():
            return _busy()
        data = await request.body()
        if len(data) > LARGEST_REQUEST:
            return Response("ScanSettings too large", 413, media_type="text/plain")
        try:
            settings = Settings.read(data)
        except BadSettings as error:
            return Response(str(error), 409, media_type="text/plain")
        job_id = str(uuid.uuid4())
        scanner.jobs[job_id] = Job(settings)
        return Response(status_code=201, headers={"Location": str(request.url_for("job", id=job_id))})

    async def next_document(request: Request) -> Response:
        job = scanner.jobs.get(request.path_params["id"])
        if job is None:
            return Response("No such job", 404, media_type="text/plain")
        if scanner.is_busy():
            return _busy()
        try:
            data = await run_in_threadpool(scanner.scanned, job)
        except OSError as error:
            return Response(f"The page cannot be read: {error}", 500, media_type="text/plain")
        if data is None:
            return Response("No more pages", 404, media_type="text/plain")
        where = f"{request.url.path}/{job.next_page}"
        return Response(data, headers={"Content-Location": where}, media_type=job.settings.document_format)

    async def cancel(request: Request) -> Response:
        job = scanner.jobs.get(request.path_params["id"])
        if job is None:
            return Response("No such job", 404, media_type="text/plain")
        job.canceled = True
        return Response(status_code=200)

    async def be_busy(request: Request) -> Response:
        scanner.busy = int(orjson.loads(await request.body()).get("times", 1))
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/eSCL/ScannerCapabilities", read_capabilities, methods=["GET"]),
            Route("/eSCL/ScannerStatus", read_status, methods=["GET"]),
            Route("/eSCL/ScanJobs", create, methods=["POST"]),
            Route("/eSCL/ScanJobs/{id}", cancel, methods=["DELETE"], name="job"),
            Route("/eSCL/ScanJobs/{id}/NextDocument", next_document, methods=["GET"]),
            Route("/_demo/busy", be_busy, methods=["POST"]),
        ]
    )


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.scanner.escl", description=__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="folder of page images, scanned in order of name")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    chosen = parser.parse_args(given)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", chosen.port))
    listener.listen(16)
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    app = build(Scanner.with_pages(chosen.pages))
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False)).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
