"""The process that opens images, so that a crash, an endless loop or too much memory ends it and not the run.

Started by `page_image.ImageReader` as a program of its own. Over a socket comes a request, a line of JSON with the open
file beside it (so that what was checked is what is read), and goes an answer, a line of JSON. Imports Pillow and the
standard library only.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import socket
import sys
import warnings
from typing import Any

from PIL import ExifTags, Image, ImageCms, ImageFile, TiffImagePlugin, UnidentifiedImageError

ImageFile.LOAD_TRUNCATED_IMAGES = False

# What a master may be. Others (EPS, PSD …) are never handed to a decoder; EPS would start Ghostscript.
FORMATS = ("TIFF", "JPEG", "JPEG2000", "PNG", "WEBP", "GIF", "BMP")
_FRAMES = 100
# Leptonica, which reads the gray copy for Tesseract, takes sides below 32,768 pixels.
_GRAY_SIDE = 32_000
_FLOAT_MODES = ("F", "I", "I;16", "I;16B", "I;16L", "I;16N")


class Fault(Exception):
    def __init__(self, code: str, rule: str) -> None:
        super().__init__(rule)
        self.code, self.rule = code, rule


def magic_of(head: bytes) -> str:
    """Pillow's name of the format that `head` starts with; '' for none of FORMATS; a telling name for other things."""
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")):
        return "JPEG2000"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith(b"BM"):
        return "BMP"
    return ""


def _open(data: io.BufferedReader, magic: str, head: bytes) -> Image.Image:
    try:
        return Image.open(data, formats=(magic,))
    except UnidentifiedImageError as error:
        reason = _why_unidentified(data) if magic == "TIFF" else ""
        # Pillow reads the dimensions of a big-endian BigTIFF at the wrong place.
        if "unknown" in reason or head.startswith(b"MM\0+"):
            raise Fault("page.unsupported", f"the decoder knows this variant of {magic} ({reason})") from error
        raise Fault("page.damaged", f"a page opens as the {magic} that it starts as ({reason or 'header'})") from error


def _why_unidentified(data: io.BufferedReader) -> str:
    data.seek(0)
    try:
        TiffImagePlugin.TiffImageFile(data)
    except Exception as error:  # the plugin raises whatever its parser meets
        return f"{type(error).__name__}: {error}"[:120]
    return ""


def _check_pixels(image: Image.Image, limit: int) -> None:
    width, height = image.size
    if width * height > limit:
        raise Fault(
            "page.bomb",
            f"a page has {limit:,} pixels at most (limits.image_pixels); its header claims {width}×{height}",
        )


def _facts(image: Image.Image, magic: str, head: bytes) -> dict[str, Any]:
    resolution = _resolution(image.info.get("dpi"))
    icc = image.info.get("icc_profile") or b""
    exif = image.getexif()
    return {
        "format": magic,
        "puid": _puid(image, magic, head),
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "bits": _bits(image, magic, head),
        "samples": len(image.getbands()),
        "x_dpi": resolution[0],
        "y_dpi": resolution[1],
        "compression": _compression(image, magic),
        "icc_name": _icc_name(icc) if icc else "",
        "icc_sha256": hashlib.sha256(icc).hexdigest() if icc else "",
        "frames": int(getattr(image, "n_frames", 1)),
        "make": _text(exif.get(ExifTags.Base.Make)),
        "model": _text(exif.get(ExifTags.Base.Model)),
        "software": _text(exif.get(ExifTags.Base.Software)),
        "captured_at": _text(exif.get(ExifTags.Base.DateTime)),
    }


def _resolution(found: Any) -> tuple[float, float]:
    """Dots an inch; 0, 0 where the file says none or nonsense (0/0 is a favourite)."""
    try:
        across, down = (round(float(each), 3) for each in found)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return 0.0, 0.0
    return (across, down) if 1 <= across <= 100_000 and 1 <= down <= 100_000 else (0.0, 0.0)


def _text(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return "".join(character for character in text if character.isprintable()).strip()[:200]


def _bits(image: Image.Image, magic: str, head: bytes) -> int:
    """Bits a sample in the file, which may be more than Pillow keeps of it."""
    if magic == "TIFF" and isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(258, (1,))))
    if magic == "PNG":
        return head[24]
    if magic == "JPEG2000":
        return _jpeg2000_bits(head)
    return {"1": 1, "I;16": 16, "I": 32, "F": 32}.get(image.mode, 8)


def _jpeg2000_bits(head: bytes) -> int:
    siz = head.find(b"\xff\x4f\xff\x51")  # SOC, SIZ: ISO/IEC 15444-1, A.5.1; Ssiz of the first component
    return (head[siz + 42] & 0x7F) + 1 if 0 <= siz < len(head) - 42 else 0


def _compression(image: Image.Image, magic: str) -> str:
    found = str(image.info.get("compression") or "")
    return {"JPEG": "jpeg", "PNG": "deflate", "JPEG2000": "jpeg2000", "GIF": "lzw"}.get(magic, found)


def _puid(image: Image.Image, magic: str, head: bytes) -> str:
    """PRONOM's identifier where the bytes say it without doubt, else ''."""
    if magic == "TIFF":
        return "fmt/353" if head[2:4] in (b"*\0", b"\0*") else ""
    if magic == "JPEG2000":
        return "x-fmt/392" if head[20:24] == b"jp2 " else ""
    if magic == "JPEG" and head[6:11] == b"JFIF\0":
        return {(1, 0): "fmt/42", (1, 1): "fmt/43", (1, 2): "fmt/44"}.get((head[11], head[12]), "")
    if magic == "GIF":
        return "fmt/3" if head[3:6] == b"87a" else "fmt/4"
    return ""


def _icc_name(icc: bytes) -> str:
    try:
        return _text(ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return "(unreadable profile)"


def to_gray(image: Image.Image) -> Image.Image:
    """8-bit gray; wide and float samples are stretched over their range, transparency lies on white."""
    if image.mode in _FLOAT_MODES:
        wide = image.convert("F")
        low, high = wide.getextrema()
        if not isinstance(low, float) or not isinstance(high, float) or not high > low:
            return Image.new("L", image.size, 255)
        # A 16-bit scan keeps its own scale; a float image has none but its range.
        low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (low, high)
        scale = 255 / (high - low)
        return wide.point(lambda value: value * scale + -low * scale).convert("L")
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        return ground.convert("L")
    if image.mode == "LAB":
        return image.getchannel(0)
    return image.convert("L" if image.mode in ("L", "1") else "RGB").convert("L")


def _gray_of(image: Image.Image) -> Image.Image:
    try:
        return to_gray(image)
    except ValueError as error:
        raise Fault("page.unsupported", f"the decoder turns this variant into gray ({error})") from error


def ink_share(gray: Image.Image) -> float:
    """Share of the pixels that are clearly darker than the paper, without a twentieth of the margin on each side.

    The paper is the most frequent gray of the lighter half; ink is darker than it by a quarter of the scale. The margin
    holds what scanners leave there: shadows and black bars.
    """
    gray = gray.reduce(max(1, min(gray.size) // 800))
    width, height = gray.size
    inner = gray.crop((width // 20, height // 20, width - width // 20, height - height // 20))
    counts = inner.histogram()
    paper = max(range(128, 256), key=lambda level: counts[level])
    if not counts[paper]:
        paper = max(range(256), key=lambda level: counts[level])
    return sum(counts[: max(0, paper - 64)]) / max(1, sum(counts))


def _whole_jpeg2000(file: io.BufferedReader) -> None:
    """OpenJPEG decodes a codestream without its end; a master has one (EOC, ISO/IEC 15444-1, A.4.4)."""
    file.seek(-2, io.SEEK_END)
    tail = file.read(2)
    file.seek(0)
    head = file.read(4)
    # In a JP2 the codestream may be followed by other boxes; a bare codestream ends with EOC.
    if tail != b"\xff\xd9" and (head == b"\xff\x4f\xff\x51" or _codestream_is_last(file)):
        raise Fault("page.truncated", "a JPEG 2000 codestream ends with its EOC marker; this one does not")


def _codestream_is_last(file: io.BufferedReader) -> bool:
    size = file.seek(0, io.SEEK_END)
    at = 0
    kind = b""
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        length = int.from_bytes(header[8:16], "big") if length == 1 else length or size - at
        if length < 8:
            break
        at += length
        if kind == b"jp2c" and at > size:
            raise Fault(
                "page.truncated", "the box that holds the codestream ends inside the file; this one is cut short"
            )
    return kind == b"jp2c"


def inspect(request: dict[str, Any], opened: int) -> dict[str, Any]:
    """Facts of an image that was decoded whole; where `gray` names a file, the first frame as 8-bit gray in it."""
    limit = int(request["pixels"])
    with os.fdopen(opened, "rb") as file:
        head = file.read(65536)
        if not head:
            raise Fault("page.empty", "a page has bytes; this one has none")
        magic = magic_of(head)
        if not magic:
            raise Fault("page.not_an_image", f"a page starts as {', '.join(FORMATS)}; this one starts as none of them")
        if magic == "JPEG2000":
            _whole_jpeg2000(file)
        file.seek(0)
        if magic == "PNG":
            with _open(file, magic, head) as image:
                _check_pixels(image, limit)
                image.verify()  # the chunks' CRCs; load() does not look at all of them
            file.seek(0)
        with _open(file, magic, head) as image:
            return _decode(image, magic, head, limit, request.get("gray"))


def _decode(image: Image.Image, magic: str, head: bytes, limit: int, gray_path: str | None) -> dict[str, Any]:
    _check_pixels(image, limit)
    facts = _facts(image, magic, head)
    image.load()
    gray = _gray_of(image)
    facts["ink_share"] = round(ink_share(gray), 6)
    if gray_path:
        reduced = max(1, -(-max(gray.size) // _GRAY_SIDE))
        gray.reduce(reduced).save(gray_path, format="PPM")
        facts["gray_reduced"] = reduced
    del gray
    if facts["frames"] > _FRAMES:
        raise Fault("page.frames", f"a page has {_FRAMES} frames at most; this one has {facts['frames']}")
    for number in range(1, facts["frames"]):
        image.seek(number)
        _check_pixels(image, limit)
        image.load()
    return facts


def answer(request: dict[str, Any], opened: int) -> dict[str, Any]:
    try:
        return {"facts": inspect(request, opened)}
    except Fault as error:
        return {"code": error.code, "rule": error.rule}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return {"code": "page.bomb", "rule": f"a page has {request['pixels']:,} pixels at most ({error})"}
    except MemoryError:
        return {"code": "page.memory", "rule": "a page is decoded within the memory that its pixel limit allows"}
    except NotImplementedError as error:
        return {"code": "page.unsupported", "rule": f"the decoder knows this variant ({error})"}
    except Exception as error:  # decoders raise whatever they meet: struct.error, SyntaxError, ZeroDivisionError …
        text = f"{type(error).__name__}: {error}"[:160]
        code = "page.truncated" if "truncated" in text.lower() else "page.damaged"
        return {"code": code, "rule": f"a page decodes to its last line ({text})"}


def _serve(channel: socket.socket) -> None:
    while True:
        line, files, _, _ = socket.recv_fds(channel, 65536, 1)
        if not line:
            return
        while not line.endswith(b"\n"):
            line += channel.recv(65536)
        channel.sendall(json.dumps(answer(json.loads(line), files[0])).encode() + b"\n")


def main() -> None:
    pixels, channel = int(sys.argv[1]), int(sys.argv[2])
    # 16 bytes a pixel hold a decoded page, its gray copy and the decoder's own buffers.
    room = (1 << 30) + 16 * pixels
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.MAX_IMAGE_PIXELS = pixels
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with socket.socket(fileno=channel) as connected:
        _serve(connected)


if __name__ == "__main__":
    main()
