"""The scanners' Dagster face."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dagster as dg

from holdfast.settings import Settings
from resources.scanner.client import EsclScanner

#: Name in holdfast.toml → a scanner to use in `with`.
Scanners = dict[str, Callable[[], EsclScanner]]


def scanners_resource(settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="eSCL scanners by their name in holdfast.toml; hot folders are not among them.")
    def scanners() -> Scanners:
        limit = settings.limits.page_bytes
        return {
            name: partial(EsclScanner, scanner.address, page_limit=limit)
            for name, scanner in settings.scanners.items()
            if scanner.kind == "escl"
        }

    return scanners
