"""The catalogue's line end to end: from a drop to the library system and back again."""

from __future__ import annotations

import pytest

from demo.samples import drops
from tests.catalogue_load import drop, fine, load
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster]


def test_a_new_record_is_written_once(library: DemoIls) -> None:
    drop(book())
    first = fine()
    assert first.outcomes == {"committed": 1}
    written = library.audit()
    second = fine()
    assert second.outcomes == {"committed": 1}
    assert library.audit() == written
    print(written, library.instances(), library.marc(library.instances()[0]["id"]))
