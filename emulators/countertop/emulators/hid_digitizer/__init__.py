"""Emulated pen digitizers on USB."""
