"""The page of a plan, and what is said of it in Dagster's UI: of a source's plan and of a feed's."""

from typing import Any

import dagster as dg

from catalog_assets.partitions import SETTINGS
from holdfast.catalogue.plan_page import PlanShown, counts_markdown, plan_page, surprises_markdown
from resources.ledger.planning import Planned
from resources.ledger.plans import Plans
from resources.reports.client import ReportFolder


def page_of(folder: ReportFolder, planned: Planned, name: str, day: str, plans: Plans, entity: str) -> dg.MetadataValue:
    """Writes the page. name: of the source or feed. entity: a key of budget.WORDS."""
    path = folder.write_plan(name, day, planned.plan_sha256, plan_page(_shown(planned, name, day, plans, entity)))
    return link_to(folder, name, day, planned.plan_sha256) or dg.MetadataValue.path(path)


def link_to(folder: ReportFolder, name: str, day: str, plan_sha256: str) -> dg.MetadataValue | None:
    """To the plan's page, where it was written: its address, else its path."""
    path = folder.plan_page(name, day, plan_sha256)
    if path is None:
        return None
    url = folder.url(path)
    return dg.MetadataValue.url(url) if url else dg.MetadataValue.path(path)


def _shown(planned: Planned, name: str, day: str, plans: Plans, entity: str) -> PlanShown:
    partition, settings = f"{day}|{name}", SETTINGS.sources.get(name) or SETTINGS.feeds[name]
    return PlanShown(
        library=SETTINGS.library.name,
        source=name,
        day=day,
        plan_sha256=planned.plan_sha256,
        signature=planned.document["signature"],
        measures=planned.measures,
        counts=planned.counts,
        surprises=planned.surprises,
        waiting=planned.waiting,
        cost=planned.cost.sentence,
        earlier=plans.history(name, without=[partition]).measures,
        written=plans.written_plans(partition),
        ils=plans.ils,
        entity=entity,
        title=settings.title,
    )


def plan_metadata(planned: Planned, page: dg.MetadataValue) -> dict[str, Any]:
    """Numbers that Dagster plots over the partitions, and what people read before they approve."""
    return {
        "page": page,
        "plan_sha256": planned.plan_sha256,
        "waiting_for": "; ".join(planned.waiting) or "nothing",
        "requests": planned.cost.requests,
        "cost": planned.cost.sentence,
        "changes_by_field": dg.MetadataValue.md(counts_markdown(planned.counts)),
        "most_surprising": dg.MetadataValue.md(surprises_markdown(planned.surprises)),
    }
