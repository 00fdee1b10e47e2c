"""As root, another account serves: it gets the right to pass and to run, and nothing more."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from resources.embedded.account import Account, let_pass, let_read

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives rights to another account")
NOBODY = Account(65534, 65534)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_on_the_way_may_be_passed_and_not_listed(tmp_path: Path) -> None:
    deep = tmp_path / "closed" / "open" / "data"
    deep.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    let_pass(deep, NOBODY)
    assert mode(tmp_path / "closed") == 0o701
    assert mode(tmp_path / "closed" / "open") == 0o755
    assert mode(deep) == 0o755


def test_programs_under_a_strict_umask_become_readable_and_no_data_become_programs(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    for name, found in (("postgres", 0o700), ("template", 0o600)):
        (tmp_path / "bin" / name).write_text("")
        (tmp_path / "bin" / name).chmod(found)
    (tmp_path / "bin" / "link").symlink_to("/etc/shadow")
    shadow = mode(Path("/etc/shadow"))
    let_read(tmp_path, NOBODY)
    assert (mode(tmp_path / "bin"), mode(tmp_path / "bin" / "postgres")) == (0o755, 0o755)
    assert mode(tmp_path / "bin" / "template") == 0o644
    assert mode(Path("/etc/shadow")) == shadow


def test_for_oneself_nothing_is_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    let_read(tmp_path, Account(os.geteuid(), os.getegid()))
    assert mode(tmp_path) == 0o700
