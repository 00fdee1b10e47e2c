"""The colours can be read on their grounds, on bright and dark screens and on paper (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re

import pytest

from holdfast.quality.style import STYLE

_THEMES = re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)


def luminance(colour: str) -> float:
    digits = "".join(2 * each for each in colour[1:]) if len(colour) == 4 else colour[1:7]
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", _THEMES, ids=["bright", "dark", "paper"])
@pytest.mark.parametrize("name", ["ink", "muted", "error", "warning", "note", "accent"])
@pytest.mark.parametrize("ground", ["paper", "raised"])
def test_the_contrast_is_enough(theme: str, name: str, ground: str) -> None:
    colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]+)", theme))
    light, dark = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
