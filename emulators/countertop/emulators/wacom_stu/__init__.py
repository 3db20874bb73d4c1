"""Emulated Wacom STU signature pads."""
