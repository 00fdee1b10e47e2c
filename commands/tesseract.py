"""Tesseract and its language data: installed by apt where that may be, else a line that says what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

from holdfast.settings import Settings


def missing_packages(settings: Settings) -> list[str]:
    """Debian packages that the scanners' languages need and that are not there."""
    wanted = sorted({language for scanner in settings.scanners.values() for language in scanner.languages})
    if not wanted:
        return []
    if not shutil.which("tesseract"):
        return ["tesseract-ocr", *(_package(language) for language in wanted)]
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False).stdout.split()
    return [_package(language) for language in wanted if language not in listed]


def _package(language: str) -> str:
    return f"tesseract-ocr-{language.replace('_', '-')}"


def ensure_tesseract(settings: Settings, say: Callable[[str], None]) -> None:
    """Install what is missing, or say what to install; pages are then quarantined with the same words."""
    packages = missing_packages(settings)
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"for OCR, install: sudo apt-get install {' '.join(packages)}")
        return
    say(f"installing {', '.join(packages)}")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *packages]):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            say(f"apt-get did not install it ({done.stderr.strip().splitlines()[-1:]}); install: {' '.join(packages)}")
            return
