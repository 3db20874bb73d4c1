"""Measurements of the tests themselves: docs/quality.md."""
