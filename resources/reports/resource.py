"""The report folder's Dagster face."""

from __future__ import annotations

import dagster as dg

from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.reports.client import ReportFolder


def report_folder_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="HTML reports in VAR/reports, served under HOLDFAST_REPORTS_URL where that is set.")
    def report_folder() -> ReportFolder:
        return ReportFolder(settings.var / "reports", read_environment().get("HOLDFAST_REPORTS_URL"))

    return report_folder
