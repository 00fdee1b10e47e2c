"""`holdfast setup`: what is needed beside Python — Tesseract with its languages, for the tests a Chromium.

Installed by apt where that may be, else a line says what to install.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from holdfast.settings import Settings, load_settings

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("setup", help="install Tesseract and its languages by apt, or say what to install")
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.add_argument("--tests", action="store_true", help="what the tests want as well: Chromium")
    parser.set_defaults(call=setup)


def setup(arguments: argparse.Namespace) -> int:
    packages = missing_packages(load_settings(arguments.config))
    if arguments.tests and not any(shutil.which(name) for name in BROWSERS):
        packages.append("chromium")
    # Not an error: what can't be installed here is skipped, or quarantined, with the same words.
    install(packages, lambda text: print(text, file=sys.stderr))
    return 0


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


def install(packages: list[str], say: Callable[[str], None]) -> None:
    """Install the packages where apt may, else say what to install."""
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"please install: sudo apt-get install {' '.join(packages)}")
        return
    say(f"installing {', '.join(packages)}")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *packages]):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            say(f"apt-get did not install them ({last}); please install: {' '.join(packages)}")
            return
