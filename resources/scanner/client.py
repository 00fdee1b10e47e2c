"""An eSCL scanner: capabilities, status, a scan job, its pages.

Source: Mopria Alliance, eSCL Technical Specification 2.97. XML is parsed without entities, DTD or network, and no more
than 1 MiB of it.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import urljoin, urlsplit

import httpx
from lxml import etree

_XML_BYTES = 1 << 20
_SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
_PWG = "http://www.pwg.org/schemas/2010/12/sm"
#: Best first: what loses nothing before what does.
_FORMATS = {"image/tiff": ".tif", "image/png": ".png", "image/jp2": ".jp2", "image/jpeg": ".jpg"}
_LONGEST_WAIT = 60.0

ColorMode = Literal["BlackAndWhite1", "Grayscale8", "Grayscale16", "RGB24", "RGB48"]


class ScannerError(RuntimeError):
    """The scanner refused or answered nonsense; the text names its address, what it said and what would mend it."""


class ScannerBusy(ScannerError):
    """It stayed busy for as long as we were ready to wait."""


@dataclass(frozen=True)
class Capabilities:
    """What the scanner can do: its model, inputs ('Platen', 'Feeder'), formats, colour modes and resolutions (dpi)."""

    model: str
    serial: str
    inputs: tuple[str, ...]
    formats: tuple[str, ...]
    color_modes: tuple[str, ...]
    resolutions: tuple[int, ...]

    def best_format(self) -> str:
        """The media type to ask for.

        Raises:
            ScannerError: it makes none that a master may have.
        """
        for name in _FORMATS:
            if name in self.formats:
                return name
        known = ", ".join(self.formats) or "none"
        raise ScannerError(f"{self.model}: makes {known}; a master is one of {', '.join(_FORMATS)}")


@dataclass(frozen=True)
class ScanSettings:
    input: str
    format: str
    color_mode: str
    dpi: int

    def xml(self) -> bytes:
        """The body of POST /ScanJobs."""
        root = etree.Element(f"{{{_SCAN}}}ScanSettings", nsmap={"scan": _SCAN, "pwg": _PWG})
        for name, value in (
            (f"{{{_PWG}}}Version", "2.63"),
            (f"{{{_SCAN}}}Intent", "Document"),
            (f"{{{_PWG}}}InputSource", self.input),
            (f"{{{_SCAN}}}ColorMode", self.color_mode),
            (f"{{{_SCAN}}}XResolution", str(self.dpi)),
            (f"{{{_SCAN}}}YResolution", str(self.dpi)),
            (f"{{{_PWG}}}DocumentFormat", self.format),
            (f"{{{_SCAN}}}DocumentFormatExt", self.format),
        ):
            etree.SubElement(root, name).text = value
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def extension_of(media_type: str) -> str:
    """File extension of a page of this media type, '.bin' for one that is none of ours."""
    return _FORMATS.get(media_type.split(";")[0].strip().lower(), ".bin")


class EsclScanner:
    """The scanner at `address` ('http://host:port/eSCL'); a context manager.

    Args:
        patience_seconds: how long a busy scanner is asked again before `ScannerBusy`.
        page_limit: bytes of one page, at most.
    """

    def __init__(
        self,
        address: str,
        *,
        patience_seconds: float = 120,
        page_limit: int = 2_000_000_000,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address.rstrip("/")
        self._patience, self._page_limit, self._sleep = patience_seconds, page_limit, sleep
        # A page takes as long as the carriage needs; connecting does not.
        timeout = httpx.Timeout(120, connect=10)
        self._http = httpx.Client(timeout=timeout, transport=transport, follow_redirects=False, trust_env=False)

    def __enter__(self) -> EsclScanner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def capabilities(self) -> Capabilities:
        root = self._xml("ScannerCapabilities")
        caps = {_local(node): node for node in root.iter() if isinstance(node.tag, str)}
        inputs = tuple(name for name, key in (("Feeder", "Adf"), ("Platen", "Platen")) if key in caps)
        dpi = {int(text) for text in _texts(root, "XResolution") if text.isdigit()}
        return Capabilities(
            model=next(iter(_texts(root, "MakeAndModel")), "unknown scanner"),
            serial=next(iter(_texts(root, "SerialNumber")), ""),
            inputs=inputs or ("Platen",),
            formats=tuple(dict.fromkeys([*_texts(root, "DocumentFormat"), *_texts(root, "DocumentFormatExt")])),
            color_modes=tuple(dict.fromkeys(_texts(root, "ColorMode"))),
            resolutions=tuple(sorted(dpi)),
        )

    def status(self) -> str:
        """'Idle', 'Processing', 'Testing', 'Stopped' or 'Down'."""
        return next(iter(_texts(self._xml("ScannerStatus"), "State")), "unknown")

    def feeder_is_empty(self) -> bool:
        """Does the scanner say that no paper lies in its feeder?"""
        return "ScannerAdfEmpty" in _texts(self._xml("ScannerStatus"), "AdfState")

    def start(self, settings: ScanSettings) -> str:
        """Start a scan job; its address.

        Raises:
            ScannerBusy, ScannerError
        """
        answer = self._patiently(
            lambda: self._http.post(
                f"{self.address}/ScanJobs", content=settings.xml(), headers={"Content-Type": "text/xml"}
            )
        )
        if answer.status_code != 201 or not answer.headers.get("Location"):
            raise self._refused("ScanJobs", answer)
        job = urljoin(f"{self.address}/", answer.headers["Location"])
        if urlsplit(job).hostname != urlsplit(self.address).hostname:
            raise ScannerError(f"{self.address}: names a job on another host ({urlsplit(job).hostname}); not followed")
        return job

    def next_page(self, job: str, target: Path) -> str | None:
        """Write the job's next page to the new file `target`; its media type, or None after the last page.

        Raises:
            ScannerBusy, ScannerError
        """
        waited = 0.0
        while True:
            with self._stream(f"{job}/NextDocument") as answer:
                if answer.status_code in (404, 410):
                    return None
                if answer.status_code == 200:
                    self._write(answer, target)
                    return str(answer.headers.get("Content-Type", "")).split(";")[0].strip().lower()
                if answer.status_code not in (409, 503):
                    raise self._refused("NextDocument", answer)
                waited += self._wait(answer, waited)

    def pages(self, settings: ScanSettings, folder: Path, *, most: int | None = None) -> Iterator[tuple[Path, str]]:
        """(file, media type) of each page of a new job, at most `most`; what is left of the job is cancelled."""
        job = self.start(settings)
        number = 0
        try:
            while most is None or number < most:
                target = folder / f".page-{time.time_ns()}"
                kind = self.next_page(job, target)
                if kind is None:
                    return
                number += 1
                yield target, kind
        finally:
            self._cancel(job)

    def _cancel(self, job: str) -> None:
        try:
            self._http.delete(job)
        except httpx.HTTPError:
            return  # the job is over, or its scanner is gone: there is nothing to cancel

    def _write(self, answer: httpx.Response, target: Path) -> None:
        length = 0
        with target.open("xb") as file:
            for piece in answer.iter_bytes(1 << 20):
                length += len(piece)
                if length > self._page_limit:
                    raise ScannerError(
                        f"{self.address}: sent a page above {self._page_limit:,} bytes (limits.page_bytes)"
                    )
                file.write(piece)

    def _stream(self, url: str) -> _Streamed:
        return _Streamed(self, url)

    def _xml(self, name: str) -> etree._Element:
        answer = self._patiently(lambda: self._http.get(f"{self.address}/{name}"))
        if answer.status_code != 200:
            raise self._refused(name, answer)
        return parse_xml(answer.content, f"{self.address}/{name}")

    def _patiently(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        waited = 0.0
        while True:
            try:
                answer = ask()
            except httpx.HTTPError as error:
                raise self._gone(error) from error
            if answer.status_code not in (409, 503):
                return answer
            waited += self._wait(answer, waited)

    def _wait(self, answer: httpx.Response, waited: float) -> float:
        seconds = retry_after(answer.headers.get("Retry-After", ""))
        if waited + seconds > self._patience:
            raise ScannerBusy(
                f"{self.address}: busy for {waited:.0f} s ({answer.status_code}); finish or cancel the job at the scanner"
            )
        self._sleep(seconds)
        return seconds

    def _gone(self, error: httpx.HTTPError) -> ScannerError:
        return ScannerError(
            f"{self.address}: does not answer ({type(error).__name__}); is it on, and is scanners.NAME.address right?"
        )

    def _refused(self, what: str, answer: httpx.Response) -> ScannerError:
        return ScannerError(f"{self.address}: {what} answered {answer.status_code}; look at the scanner's panel")


class _Streamed:
    """A GET whose body is not read yet; its transport errors become `ScannerError`."""

    def __init__(self, scanner: EsclScanner, url: str) -> None:
        self._scanner, self._context = scanner, scanner._http.stream("GET", url)

    def __enter__(self) -> httpx.Response:
        try:
            return self._context.__enter__()
        except httpx.HTTPError as error:
            raise self._scanner._gone(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, trace)
        if isinstance(error, httpx.HTTPError):
            raise self._scanner._gone(error) from error


def retry_after(value: str) -> float:
    """Seconds to wait: of a Retry-After header (RFC 9110, section 10.2.3: seconds or a date), 1 to 60; 2 without one.

    >>> retry_after("5"), retry_after(""), retry_after("86400"), retry_after("soon")
    (5.0, 2.0, 60.0, 2.0)
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return 2.0
    return min(_LONGEST_WAIT, max(1.0, seconds)) if seconds == seconds else 2.0


def parse_xml(data: bytes, where: str) -> etree._Element:
    """The root of `data`.

    Raises:
        ScannerError: too much, not well formed, or with a DOCTYPE.
    """
    if len(data) > _XML_BYTES:
        raise ScannerError(f"{where}: answered {len(data):,} bytes of XML; {_XML_BYTES:,} at most")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ScannerError(f"{where}: answered no XML ({error})") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ScannerError(f"{where}: answered XML with a DOCTYPE; eSCL has none")
    return root


def _local(node: etree._Element) -> str:
    return str(etree.QName(node).localname)


def _texts(root: etree._Element, name: str) -> list[str]:
    nodes = (node for node in root.iter() if isinstance(node.tag, str) and _local(node) == name)
    return [text for node in nodes if (text := (node.text or "").strip())]
