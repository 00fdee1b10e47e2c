"""Partitions of preservation: a batch each, added by the scan sensor when its drop is complete."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import load_settings

SETTINGS = load_settings()

BATCHES = dg.DynamicPartitionsDefinition(name="batch")
