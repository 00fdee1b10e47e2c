"""Validation of MARC records as columns, by Avram schemas and local rules."""

from holdfast.marc.validation.issues import ISSUES, KINDS
from holdfast.marc.validation.rules import VERSION, Rules, RulesError, load_rules, rules_by_source
from holdfast.marc.validation.validate import validate

__all__ = ["ISSUES", "KINDS", "VERSION", "Rules", "RulesError", "load_rules", "rules_by_source", "validate"]
