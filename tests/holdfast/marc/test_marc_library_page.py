"""docs/how-to/marc-library.md: each snippet is run, and prints what stands below it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "marc-library.md"
BLOCKS = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```)?", re.DOTALL)


def test_every_snippet_prints_what_the_page_says(data: Path) -> None:
    names: dict[str, Any] = {"DATA": data}
    blocks = BLOCKS.findall(PAGE.read_text())
    assert len(blocks) >= 9
    for code, wanted in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, names)
        assert out.getvalue() == wanted, code
