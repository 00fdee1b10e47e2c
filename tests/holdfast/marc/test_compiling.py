"""What is compiled ahead is what real records need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
import sys
from numba.core.registry import CPUDispatcher
from holdfast.marc.compiling import compile_kernels

def compiled():
    modules = [each for name, each in sorted(sys.modules.items()) if name.startswith("holdfast")]
    loops = [each for module in modules for each in vars(module).values() if isinstance(each, CPUDispatcher)]
    return {f"{each.py_func.__module__}.{each.py_func.__name__}": len(each.signatures) for each in loops}

compile_kernels()
ahead = compiled()

import io
import polars as pl
from holdfast.marc.blocks import read_blocks
from holdfast.marc.harvest import index_drop
from holdfast.marc.rulebook import Rulebook
from holdfast.marc.validation import load_rules
from holdfast.privacy.masking import MaskingRules
from tests.holdfast.marc.test_versions import corpus

rulebook = Rulebook(MaskingRules(("852$x",), ()), load_rules())
(part,) = index_drop(io.BytesIO(corpus()), "a.mrc", rulebook.masking, b"salt")
rulebook.make(part.frame, source="a", window="2026-01-05")
for name, count in compiled().items():
    if ahead.get(name) != count:
        print(name, ahead.get(name), count)
print("put_views", ahead["holdfast.marc.identifiers.put_views"])
"""


def test_no_loop_is_compiled_when_the_first_records_come() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["put_views 1"]
