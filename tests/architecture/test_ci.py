"""`.ci/run` on servers that start, look dead, stay dead, or can't be had; the servers are played by scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["postgres", "redis", "rabbitmq", "elasticsearch"]
START = """#!/bin/sh
echo "start $1" >> "$(dirname "$0")/asked"
played="$(dirname "$0")/$1"
line="$(head -n 1 "$played" 2>/dev/null)"
[ ! -e "$played" ] || sed -i 1d "$played"
case "$line" in
  "dead") echo "services: starting $1" >&2; echo "services: error: $1 ended while starting" >&2; exit 1 ;;
  "none") echo "services: error: apt-get failed" >&2; exit 1 ;;
esac
echo "export $1_URL=at-$1-$POSTGRES_PORT" | sed 's/^export [a-z]*/export NAME/'
"""
STOP = """#!/bin/sh
echo "stop $*" >> "$(dirname "$0")/asked"
"""
MAKEFILE = """
check run test:
\t@echo "$@ $$HOLDFAST_POSTGRES_URL $$HOLDFAST_REDIS_URL $$HOLDFAST_BROKER_URL $$HOLDFAST_ELASTICSEARCH_URL"
"""


def ci(
    folder: Path, plays: dict[str, list[str]], **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A run beside services that play what is said, a line a start; its answer, and what the services were asked."""
    services = folder / "shared/services"
    services.mkdir(parents=True)
    for name, lines in plays.items():
        (services / name).write_text("\n".join(lines) + "\n")
    for name, script in {"start": START, "stop": STOP}.items():
        (services / name).write_text(script)
        (services / name).chmod(0o755)
    (folder / "main/.ci").mkdir(parents=True)
    (folder / "main/Makefile").write_text(MAKEFILE)
    shutil.copy(ROOT / ".ci/run", folder / "main/.ci/run")
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), **variables}
    answer = subprocess.run([folder / "main/.ci/run"], env=environ, capture_output=True, text=True, timeout=60)
    assert not list(folder.glob("holdfast-ci.*"))
    return answer, (services / "asked").read_text().splitlines()


def test_one_that_only_looked_dead_is_waited_for(tmp_path: Path) -> None:
    answer, asked = ci(tmp_path, {"rabbitmq": ["dead"]})
    assert answer.returncode == 0, answer.stderr
    assert asked == [
        "start postgres", "start redis", "start rabbitmq", "start rabbitmq", "start elasticsearch",
        "stop --wipe elasticsearch rabbitmq redis postgres",
    ]  # fmt: skip
    tested = answer.stdout.splitlines()[-1].split()
    assert [each.split("-")[1] for each in tested[1:]] == NAMES


def test_one_that_is_dead_gets_other_ports_once(tmp_path: Path) -> None:
    answer, asked = ci(tmp_path, {"rabbitmq": ["dead", "dead"]})
    assert answer.returncode == 0, answer.stderr
    assert asked[2:6] == ["start rabbitmq", "start rabbitmq", "stop --wipe rabbitmq", "start rabbitmq"]


def test_one_that_stays_dead_ends_the_run_and_what_was_started_is_stopped(tmp_path: Path) -> None:
    answer, asked = ci(tmp_path, {"redis": ["dead"] * 3})
    assert answer.returncode == 1
    assert answer.stderr == "error: redis was started three times and does not answer\n"
    assert "services: error: redis ended while starting" in answer.stdout and "make check" not in answer.stdout
    assert asked[-1] == "stop --wipe redis postgres"


def test_one_that_cant_be_installed_is_done_without_and_said(tmp_path: Path) -> None:
    answer, _ = ci(tmp_path, {"elasticsearch": ["none"]})
    assert answer.returncode == 0
    assert "elasticsearch could not be installed; the tests that need it are skipped" in answer.stdout
    assert len(answer.stdout.splitlines()[-1].split()) == 4


@pytest.mark.parametrize(
    ("variable", "name"), [("HOLDFAST_POSTGRES_URL", "postgres"), ("HOLDFAST_BROKER_URL", "rabbitmq")]
)
def test_one_that_is_given_is_neither_started_nor_stopped(tmp_path: Path, variable: str, name: str) -> None:
    answer, asked = ci(tmp_path, {}, **{variable: "given"})
    assert answer.returncode == 0
    assert not any(name in each for each in asked)
    assert "given" in answer.stdout.splitlines()[-1]
