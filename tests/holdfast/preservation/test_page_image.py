"""Page images: facts of good ones, refusal of bad ones, on drawn pages and on real collections of damaged files."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from holdfast.preservation.page_image import BLANK_BELOW, FACTS, ImageReader, PageFault, number_in_name
from tests.preservation_drops import bomb_png, page_bytes


@pytest.fixture(scope="module")
def images() -> Iterator[ImageReader]:
    with ImageReader(400_000_000, seconds=30) as reader:
        yield reader


def written(folder: Path, data: bytes) -> Path:
    (folder / "page").write_bytes(data)
    return folder / "page"


@pytest.mark.parametrize(("format", "puid"), [("TIFF", "fmt/353"), ("PNG", ""), ("JPEG", "fmt/43"), ("GIF", "fmt/3")])
def test_facts_of_a_page(images: ImageReader, tmp_path: Path, format: str, puid: str) -> None:
    facts = images.inspect(written(tmp_path, page_bytes("Atlas", format=format)))

    assert set(FACTS) <= set(facts)
    assert (facts["format"], facts["width"], facts["height"], facts["bits"]) == (format, 800, 500, 8)
    assert facts["puid"] in (puid, "fmt/4" if format == "GIF" else puid)
    if format != "GIF":
        assert facts["x_dpi"] == pytest.approx(150, rel=0.01)
    assert facts["ink_share"] > BLANK_BELOW


def test_profile_and_device_are_named(images: ImageReader, tmp_path: Path) -> None:
    image = Image.new("RGB", (50, 50), "white")
    exif = image.getexif()
    exif[271], exif[272] = "i2S", "Bookeye 5"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    out = BytesIO()
    image.save(out, "TIFF", exif=exif, icc_profile=profile, compression="tiff_lzw")

    facts = images.inspect(written(tmp_path, out.getvalue()))

    assert (facts["make"], facts["model"], facts["compression"]) == ("i2S", "Bookeye 5", "tiff_lzw")
    assert "sRGB" in facts["icc_name"] and len(facts["icc_sha256"]) == 64


@pytest.mark.parametrize("shade", [255, 240, 200])
def test_a_page_without_ink_is_blank(images: ImageReader, tmp_path: Path, shade: int) -> None:
    assert images.inspect(written(tmp_path, page_bytes(shade=shade)))["ink_share"] < BLANK_BELOW


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB"])
def test_every_mode_becomes_gray(images: ImageReader, tmp_path: Path, mode: str) -> None:
    out = BytesIO()
    Image.new(mode, (40, 30)).save(out, "TIFF")
    gray = tmp_path / "gray.pgm"

    images.inspect(written(tmp_path, out.getvalue()), gray=gray)

    with Image.open(gray) as drawn:
        assert (drawn.mode, drawn.size) == ("L", (40, 30))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "page.empty"),
        (b"no image", "page.not_an_image"),
        (b"%PDF-1.7\n", "page.not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "page.not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "page.not_an_image"),
        (b"II*\0", "page.damaged"),
        (b"\x89PNG\r\n\x1a\n", "page.damaged"),
        (bomb_png(), "page.bomb"),
        (page_bytes("Atlas")[:9000], "page.truncated"),
        (page_bytes("Atlas", format="JPEG")[:3000], "page.truncated"),
    ],
)
def test_what_is_no_whole_image_is_refused(images: ImageReader, tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(PageFault) as fault:
        images.inspect(written(tmp_path, data))

    assert fault.value.code == code
    assert fault.value.rule and fault.value.hint


def test_a_truncated_png_is_refused(images: ImageReader, tmp_path: Path) -> None:
    data = page_bytes("Atlas", format="PNG")
    with pytest.raises(PageFault):
        images.inspect(written(tmp_path, data[: len(data) // 2]))


def test_a_flipped_bit_in_a_png_is_refused(images: ImageReader, tmp_path: Path) -> None:
    data = bytearray(page_bytes("Atlas", format="PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(PageFault):
        images.inspect(written(tmp_path, bytes(data)))


def test_the_second_frame_is_decoded_too(images: ImageReader, tmp_path: Path) -> None:
    out = BytesIO()
    frame = Image.effect_noise((200, 200), 50)
    frame.save(out, "TIFF", save_all=True, append_images=[frame])
    assert images.inspect(written(tmp_path, out.getvalue()))["frames"] == 2

    with pytest.raises(PageFault):
        images.inspect(written(tmp_path, out.getvalue()[:-20_000]))


def test_a_decoder_that_dies_costs_its_page_only(tmp_path: Path) -> None:
    page = written(tmp_path, page_bytes("Atlas"))
    with ImageReader(1_000_000) as reader:
        reader.inspect(page)
        assert reader._process
        os.kill(reader._process.pid, signal.SIGKILL)

        with pytest.raises(PageFault, match=r"page\.crash"):
            reader.inspect(page)

        assert reader.inspect(page)["width"] == 800


def test_a_decoder_that_never_ends_is_killed(tmp_path: Path) -> None:
    page = written(tmp_path, page_bytes("Atlas"))
    with ImageReader(1_000_000, seconds=10) as reader:
        reader.inspect(page)
        assert reader._process
        os.kill(reader._process.pid, signal.SIGSTOP)
        reader.seconds = 0.3
        started = time.monotonic()

        with pytest.raises(PageFault, match=r"page\.timeout"):
            reader.inspect(page)

        assert time.monotonic() - started < 5
        reader.seconds = 10
        assert reader.inspect(page)["width"] == 800


@pytest.mark.parametrize(
    ("folder", "whole_at_least"), [("images/tiff", 80), ("images/tiff-corrupt", 0), ("images/jp2", 10)]
)
def test_real_and_damaged_files_are_all_accounted_for(
    images: ImageReader, data: Path, folder: str, whole_at_least: int
) -> None:
    files = [each for each in sorted((data / folder).rglob("*")) if each.is_file()]
    outcomes: Counter[str] = Counter()
    for file in files:
        try:
            facts = images.inspect(file)
            assert facts["width"] > 0
            outcomes["whole"] += 1
        except PageFault as fault:
            outcomes[fault.code] += 1

    assert sum(outcomes.values()) == len(files) > 0
    assert outcomes["whole"] >= whole_at_least
    assert outcomes["page.timeout"] == outcomes["page.crash"] == 0


def test_jpeg_2000_verdicts_agree_with_their_labels(images: ImageReader, data: Path) -> None:
    good = ["reference.jp2", "palettedImage.jp2", "erdas-nullinput-uint8-rgb-null-2tileparts.jp2"]
    bad = ["signature_corrupted.jp2", "last_byte_missing.jp2", "bitwiser-resolutionbox-corrupted-boxlength-8730.jp2"]
    for name in good:
        assert images.inspect(data / "images/jp2" / name)["format"] == "JPEG2000"
    for name in bad:
        with pytest.raises(PageFault):
            images.inspect(data / "images/jp2" / name)


def test_the_last_number_of_a_name_is_its_place() -> None:
    assert number_in_name("b2/scan_0012.tif") == 12
    assert number_in_name("cover.tif") is None
