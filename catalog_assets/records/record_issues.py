"""`record_issues`: what is wrong with the records by the rules of MARC and of the institution."""

import hashlib

import dagster as dg

from catalog_assets.checks import conservation_result, conservation_spec, issues_result, issues_spec
from catalog_assets.partitions import LOADS, SETTINGS, load_of
from holdfast.marc.validation import ISSUES, VERSION, rules_by_source
from holdfast.outcomes import Conservation
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.lake.validation import Validated, validate_window
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.postgres.triage import Triage

# Read here, once: a wrong schema or rule stops the code location, and the message names file and key.
RULES = rules_by_source(SETTINGS)
_ALL_VERSIONS = hashlib.sha256("".join(sorted(rules.version for rules in RULES.values())).encode()).hexdigest()


@dg.asset(
    deps=["normalized_records"],
    partitions_def=LOADS,
    group_name="records",
    owners=["team:metadata"],
    kinds={"polars", "parquet"},
    code_version=f"{VERSION}-{_ALL_VERSIONS[:12]}",
    check_specs=[conservation_spec("record_issues"), issues_spec("record_issues")],
    description=(
        "A row an issue: code, severity, place (record, field, occurrence, subfield, character), whose rule it is and what "
        "would mend it, by the Avram schemas and local rules of holdfast.toml. Issues stop nothing but what the source names in "
        "`stop_on`: these records are in quarantine, and in the table `stopped`."
    ),
)
def record_issues(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], postgres: dg.ResourceParam[Postgres]
) -> dg.MaterializeResult:
    (source, _), partition = load_of(context), context.partition_key
    rules, quarantine = RULES[source], Quarantine(postgres, "catalogue")
    got = validate_window(lake, partition, rules, SETTINGS.sources[source].stop_on)
    waiting = Triage(postgres, "catalogue").still_stopped(partition, got.rejections)
    stopped = quarantine.replace("record_issues", partition, waiting, run_id=context.run.run_id)
    counted = Conservation(
        lake.rows("normalized_records", partition), {"validated": got.records - stopped, "quarantined": stopped}
    )
    return dg.MaterializeResult(
        metadata=table_metadata(
            got.issues.total(), ISSUES, records=got.records, stopped=stopped, rules=rules.version, **severities(got),
            reused=got.reused, computed=got.computed, kept=got.kept,
            examples=dg.MetadataValue.md(as_markdown(got)),
        ),
        data_version=dg.DataVersion(got.data_version),
        check_results=[
            conservation_result(counted),
            issues_result(got.severities["error"], got.with_errors),
        ],
    )  # fmt: skip


def severities(got: Validated) -> dict[str, int]:
    """Issues by severity, in the plural: what Dagster plots over the partitions."""
    names = {"error": "errors", "warning": "warnings", "info": "notes"}
    return {name: got.severities[severity] for severity, name in names.items()}


def as_markdown(got: Validated) -> str:
    """A row a code, most frequent first, each with its first example."""
    if not got.issues:
        return "nothing found"
    lines = ["| code | issues | severity | for example | |", "|---|--:|---|---|---|"]
    for code, count in got.issues.most_common():
        severity, place, message = got.examples[code]
        cells = [f"`{code}`", f"{count:,}", severity, place, message]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ")[:200] for cell in cells) + " |")
    return "\n".join(lines)
