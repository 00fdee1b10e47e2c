"""[ils]: a wrong value names its key and what is allowed."""

from __future__ import annotations

import re

import pytest

from holdfast.settings import SettingsError, parse_settings


def fault(table: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(f'sources={{}}\nlibrary={{name="x"}}\n{table}')
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[ils.quota]\nprofiles=[{from="7:00",to="20:00",per_second=5}]', r"quota\.profiles\.0\.from: found '7:00'.*'07:30'"),
        ('[ils.quota]\nprofiles=[{from="07:00",to="20:00"}]', r"profiles\.0: per_second, concurrency: one of them"),
        ('[ils.quota]\nprofiles=[{from="07:00",to="07:00",per_second=5}]', r"both are 07:00"),
        (
            '[ils.quota]\nprofiles=[{from="07:00",to="20:00",per_second=5},{from="19:00",to="06:00",per_second=9}]',
            r"19:00 to 06:00 and 07:00 to 20:00 both hold at 19:00",
        ),
        ('[ils.quota]\nprofiles=[{from="07:00",to="8:00",persecond=5}]', r"allowed: from, to, per_second, concurrency"),
        ("[ils.quota]\nper_second=2.5", r"per_second: found 2\.5; a whole number, or a fraction below 1"),
        ("[ils.quota]\nper_second=0", r"ils\.quota\.per_second: found 0;"),
        ("[ils.circuit]\nfailures=0", r"ils\.circuit\.failures: found 0;"),
        ('[ils.readers]\nurl="opac.example.org"', r"readers: url: found 'opac\.example\.org'; an address that starts"),
        ("[ils.readers]\nwindow_seconds=1\ninterval_seconds=0.5", r"at least four times interval_seconds, 2"),
    ],
)  # fmt: skip
def test_a_wrong_setting_names_its_key_and_what_is_allowed(table: str, says: str) -> None:
    assert re.search(says, fault(table))


def test_an_adapter_that_is_not_there_is_named_with_those_that_are() -> None:
    said = fault('[ils]\nadapter = "alma"\n')
    assert "ils.adapter" in said and "'folio'" in said and "'koha'" in said
    assert "mark_field" in fault('[ils]\nmark_field = "245"\n')
