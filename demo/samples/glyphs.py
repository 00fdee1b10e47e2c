"""Text drawn with Pillow's own font, which knows no accents: they are drawn over their letters here.

So a page looks the same on a machine without any font.
"""

from __future__ import annotations

import unicodedata

from PIL import ImageDraw, ImageFont

ACUTE, GRAVE, CIRCUMFLEX, DIAERESIS, CEDILLA = "\u0301", "\u0300", "\u0302", "\u0308", "\u0327"
DRAWABLE = frozenset((ACUTE, GRAVE, CIRCUMFLEX, DIAERESIS, CEDILLA))


class Undrawable(ValueError):
    """A character that can be drawn neither by the font nor by hand."""


def check(text: str) -> None:
    for char in unicodedata.normalize("NFD", text):
        if not (" " <= char <= "~" or char in DRAWABLE or char == "\n"):
            raise Undrawable(f"{char!r} (U+{ord(char):04X}) cannot be drawn")


class Pen:
    """Writes lines of text of one size on a picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, size: int) -> None:
        self.draw = draw
        self.size = size
        self.font = ImageFont.load_default(size=size)

    def width(self, text: str) -> float:
        plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
        return self.font.getlength(plain)

    def line(self, x: float, y: float, text: str) -> None:
        """One line with its top left at (x, y). Raises Undrawable."""
        check(text)
        letters = unicodedata.normalize("NFD", text)
        plain = ""
        for char in letters:
            if unicodedata.combining(char):
                start = self.font.getlength(plain[:-1])
                left, top, right, bottom = self.font.getbbox(plain[-1])
                self._mark(char, x + start + (left + right) / 2, y + top, y + bottom)
            else:
                plain += char
        self.draw.text((x, y), plain, font=self.font, fill=0)

    def _mark(self, mark: str, middle: float, top: float, bottom: float) -> None:
        unit = self.size / 100
        thick = max(2, round(7 * unit))
        low, high = top - 7 * unit, top - 21 * unit
        if mark == DIAERESIS:
            for centre in (middle - 11 * unit, middle + 11 * unit):
                y = top - 13 * unit
                self.draw.ellipse((centre - 5 * unit, y - 5 * unit, centre + 5 * unit, y + 5 * unit), fill=0)
        elif mark == ACUTE:
            self.draw.line((middle - 4 * unit, low, middle + 9 * unit, high), fill=0, width=thick)
        elif mark == GRAVE:
            self.draw.line((middle + 4 * unit, low, middle - 9 * unit, high), fill=0, width=thick)
        elif mark == CIRCUMFLEX:
            points = (middle - 12 * unit, low, middle, high, middle + 12 * unit, low)
            self.draw.line(points, fill=0, width=thick)
        else:
            points = (middle, bottom, middle + 3 * unit, bottom + 8 * unit, middle - 6 * unit, bottom + 16 * unit)
            self.draw.line(points, fill=0, width=thick)
