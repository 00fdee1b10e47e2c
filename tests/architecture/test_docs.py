"""What the pages name is there: commands with their options, targets of make, settings, variables, tables, sensors, files."""

from __future__ import annotations

import importlib.util
import re
import shlex

import pytest

from catalog_assets.definitions import build_defs as catalog
from commands.main import build_parser
from holdfast.environment import VARIABLES
from holdfast.settings import parse_settings
from preservation_assets.definitions import build_defs as preservation
from tests.conftest import ROOT

PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
}
TEXT = "\n".join(PAGES.values())
BLOCKS = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
FOLDERS = (
    "holdfast resources catalog_assets preservation_assets sensors commands demo benchmarks tests deploy docs".split()
)
EXAMPLES = [(page, text) for page, whole in PAGES.items() for kind, text in BLOCKS.findall(whole) if kind == "toml"]


def commands() -> list[tuple[str, str]]:
    """(page, a command line of `holdfast`), in blocks and between backticks."""
    found = []
    for page, whole in PAGES.items():
        lines = [
            line
            for kind, text in BLOCKS.findall(whole)
            if kind in ("", "sh", "bash")
            for line in text.replace("\\\n", " ").splitlines()
        ]
        lines += re.findall(r"`((?:\.venv/bin/)?holdfast [^`\n]+)`", BLOCKS.sub("", whole))
        for line in lines:
            called = re.match(r"^\s*(?:\$ )?(?:\.venv/bin/)?holdfast ([a-z].*)", line)
            if called:
                found.append((page, re.split(r"\s+#|\s[|>]\s", called[1])[0].strip()))
    return sorted(set(found))


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_is_taken(page: str, line: str) -> None:
    words = shlex.split(line)
    # A name alone, as in a sentence on `holdfast marc`, stands for its help.
    if not any(word.startswith("-") or "." in word for word in words):
        words.append("--help")
    with pytest.raises(SystemExit) as ended:
        build_parser(*words).parse_args(words)
        raise SystemExit(0)
    assert ended.value.code == 0, f"{page}: holdfast {line}"


@pytest.mark.parametrize(
    ("page", "example"), EXAMPLES, ids=[f"{page}-{number}" for number, (page, _) in enumerate(EXAMPLES)]
)
def test_every_example_of_settings_is_taken(page: str, example: str) -> None:
    example = re.sub(r"^   ", "", example, flags=re.MULTILINE)
    if '"local.' in example:  # a rule of the block before
        example = next(text for name, text in EXAMPLES if name == page and "[[validation.rules]]" in text) + example
    named = {*re.findall(r"^\[+(?:sources|budgets)\.([\w-]+)", example, re.MULTILINE), "s", "ebooks"}
    missing = "".join(f"[sources.{name}]\n" for name in sorted(named) if f"[sources.{name}]" not in example)
    own = "" if "[library]" in example else '[library]\nname = "L"\n'
    parse_settings(f"{own}{missing}{example}")


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"`make ([a-z]+)", TEXT)
    named += [name for _, text in BLOCKS.findall(TEXT) for name in re.findall(r"^make ([a-z]+)", text, re.MULTILINE)]
    assert named and set(named) <= targets


def test_every_module_that_is_called_is_there() -> None:
    for name in re.findall(r"python -m ([a-z_.]+)\b", TEXT.replace(".NAME", "")):
        assert importlib.util.find_spec(name), name


def test_every_variable_is_one_that_is_read() -> None:
    known = {each.name for each in VARIABLES} | {"HOLDFAST_TEST_DATA"}
    for name in set(re.findall(r"\bHOLDFAST_[A-Z_]*[A-Z]\b(?!<|\*)", TEXT)):
        assert name in known or re.match(r"HOLDFAST_(SOURCE|COLLECTION)(_|$)", name) or name == "HOLDFAST_ILS", name


def test_every_table_is_in_the_database() -> None:
    made = "\n".join(each.read_text() for each in (ROOT / "resources/postgres/migrations").glob("*.sql"))
    tables = set(re.findall(r"CREATE (?:TABLE|VIEW)(?: IF NOT EXISTS)? (?:holdfast\.)?(\w+)", made))
    named = set(re.findall(r"[Tt]ables? `(?:holdfast\.)?(\w+)`", TEXT)) & set(re.findall(r"`holdfast\.(\w+)`", TEXT))
    modules = {path.stem for path in (ROOT / "holdfast").iterdir()}
    assert named and named - modules <= tables


def test_every_file_is_there() -> None:
    for page, whole in PAGES.items():
        for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", whole):
            assert (ROOT / path).exists() or path.endswith(".env"), f"{page}: {path}"


def test_every_sensor_job_and_schedule_is_in_the_ui() -> None:
    # Names of settings look like these, too.
    known = set(re.findall(r"\w+", PAGES["docs/reference/settings.md"]))
    for defs in (catalog(), preservation()):
        parts = [*(defs.sensors or ()), *(defs.schedules or ()), *(defs.jobs or ())]
        known |= {each.name for each in parts}
        known |= {asset.key.path[-1] for asset in defs.resolve_all_asset_specs()}
        known |= {key.name for checks in (defs.asset_checks or ()) for key in checks.check_keys}
    for page, whole in PAGES.items():
        if "decisions" in page or page == "docs/reference/columns.md":
            continue
        for name in set(
            re.findall(
                r"`(\w+_(?:sensor|load|reading|window|ingestion|deltas|exports?|records|commits|plan|feed))`", whole
            )
        ):
            assert name in known, f"{page}: {name}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, next_ = set(), [ROOT / "README.md"]
    while next_:
        page = next_.pop().resolve()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        next_ += [page.parent / target for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())]
    pages = {each.resolve() for each in ROOT.glob("docs/**/*.md")}
    assert not {str(each.relative_to(ROOT)) for each in pages - reached}


def test_anchors_lead_to_a_heading() -> None:
    for page, whole in PAGES.items():
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", whole):
            other = ((ROOT / page).parent / target) if target else ROOT / page
            heads = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page}: {target}#{anchor}"


def test_every_setting_is_one() -> None:
    reference = PAGES["docs/reference/settings.md"]
    sections = dict(
        zip(*[iter(re.split(r"^## `\[+([\w.]+?)(?:\.NAME)?\]+`$", reference, flags=re.MULTILINE)[1:])] * 2, strict=True)
    )
    codes = set(
        re.findall(
            r"\"((?:ils|harvest)\.\w+)\"",
            "\n".join(each.read_text() for each in [*ROOT.glob("holdfast/**/*.py"), *ROOT.glob("resources/**/*.py")]),
        )
    )
    for page, whole in PAGES.items():
        for section, key in re.findall(rf"`({'|'.join(map(re.escape, sections))})\.(\w+)`", whole):
            named = f"| `{key}` |" in sections[section] or f"{section}.{key}" in sections
            assert named or f"{section}.{key}" in codes or key == "py", f"{page}: {section}.{key}"
