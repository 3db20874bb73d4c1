"""Emulated Magicard card printers."""
