"""Validation of MARC records as columns, by Avram schemas and local rules."""

from holdfast.marc.validation.issues import ISSUES, KINDS
from holdfast.marc.validation.rules import Rules, RulesError, load_rules
from holdfast.marc.validation.validate import validate

__all__ = ["ISSUES", "KINDS", "Rules", "RulesError", "load_rules", "validate"]
