"""`holdfast.toml`: one typed file for everything that is a choice of the institution.

Addresses and secrets are not in it: they come from environment variables (see `Environment`). A wrong key, type or
value raises `SettingsError`, whose text names the key, what was found and what is allowed.
"""

from holdfast.catalogue.budget import Budget
from holdfast.catalogue.merging import MergeRule
from holdfast.naming import FieldSpec
from holdfast.settings.authorities import AuthorityFiles
from holdfast.settings.deltas import Deltas
from holdfast.settings.exports import EXPORTED, Export
from holdfast.settings.feeds import Feed
from holdfast.settings.ils import Circuit, Ils, Quota, QuotaProfile, Readers
from holdfast.settings.library import Library, Limits, Partitions, Paths
from holdfast.settings.masking import Masking
from holdfast.settings.museum import Collection
from holdfast.settings.reading import SettingsError, load_settings, parse_settings
from holdfast.settings.scanning import Scanner
from holdfast.settings.sources import DROP_SCHEMES, Source
from holdfast.settings.validation import Schemas, Validation
from holdfast.settings.whole import Settings

__all__ = [
    "DROP_SCHEMES",
    "EXPORTED",
    "AuthorityFiles",
    "Budget",
    "Circuit",
    "Collection",
    "Deltas",
    "Export",
    "Feed",
    "FieldSpec",
    "Ils",
    "Library",
    "Limits",
    "Masking",
    "MergeRule",
    "Partitions",
    "Paths",
    "Quota",
    "QuotaProfile",
    "Readers",
    "Scanner",
    "Schemas",
    "Settings",
    "SettingsError",
    "Source",
    "Validation",
    "load_settings",
    "parse_settings",
]
