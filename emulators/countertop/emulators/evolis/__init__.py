"""Emulated Evolis card printers."""
