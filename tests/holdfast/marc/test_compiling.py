"""What is compiled ahead is what real records need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdfast.marc import kernel
from holdfast.marc.loop_cache import SHARED, digest

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


SHARES = """
import ast, importlib, inspect, pkgutil
import holdfast
from numba.core.registry import CPUDispatcher
from holdfast.marc.loop_cache import SHARED

modules = [importlib.import_module(each.name) for each in pkgutil.walk_packages(holdfast.__path__, "holdfast.")]
shared = set()
for module in modules:
    imported = {
        (alias.asname or alias.name): node.module
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for loop in vars(module).values():
        if isinstance(loop, CPUDispatcher) and loop.py_func.__module__ == module.__name__:
            for name in loop.py_func.__code__.co_names:
                if str(imported.get(name)).startswith("holdfast"):
                    shared.add(imported[name].removeprefix("holdfast.marc."))
print(sorted(shared ^ set(SHARED)))
"""


def test_a_change_of_what_is_compiled_into_others_is_another_cache(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", SHARES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]", "holdfast.marc.loop_cache.SHARED has too much, or not all"
    (tmp_path / "validation").mkdir()
    for name in SHARED:
        path = f"{name.replace('.', '/')}.py"
        (tmp_path / path).write_bytes((ROOT / "holdfast/marc" / path).read_bytes())
    assert digest(tmp_path) == digest()
    (tmp_path / "kernel.py").write_bytes((tmp_path / "kernel.py").read_bytes() + b"# another\n")
    assert digest(tmp_path) != digest()
    assert Path(kernel.compiled(lambda: 1)._cache.cache_path).parent.name == f"loops-{digest()}"
