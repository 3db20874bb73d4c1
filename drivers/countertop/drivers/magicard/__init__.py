"""Magicard card printers: one job for each card, over USB printer class or TCP."""
