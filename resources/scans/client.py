"""The scans folder, a folder a drop, and what holdfast.toml says of its scanners."""

from __future__ import annotations

from holdfast.preservation import drop
from holdfast.preservation.drop import NotInDrop, Survey
from holdfast.preservation.page_image import ImageReader
from holdfast.settings import Settings


class Scans:
    def __init__(self, settings: Settings) -> None:
        self.folder = settings.scans
        self._settings = settings

    def survey(self, batch: str) -> Survey | None:
        """The batch's drop against its manifest; None where the drop is gone."""
        folder = drop.find_drop(self.folder, batch)
        limits = self._settings.limits
        if folder is None:
            return None
        return drop.survey(folder, manifest_limit=limits.manifest_bytes, page_limit=limits.page_bytes)

    def open(self, batch: str, page: str) -> int:
        """A file descriptor of a page in its drop; the caller closes it.

        Raises:
            NotInDrop: it is not there, or is no regular file of the drop.
        """
        folder = drop.find_drop(self.folder, batch)
        if folder is None:
            raise NotInDrop("page.missing", "a drop stays until its batch is done", "put the drop back and run again")
        return drop.open_page(folder, page)

    def is_there(self, batch: str) -> bool:
        return drop.find_drop(self.folder, batch) is not None

    def images(self) -> ImageReader:
        return ImageReader(self._settings.limits.image_pixels)

    def languages(self, scanner: str) -> tuple[str, ...]:
        """Tesseract's languages for what this scanner leaves; English where holdfast.toml does not name it."""
        known = self._settings.scanners.get(scanner)
        return known.languages if known else ("eng",)
