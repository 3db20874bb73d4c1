"""Evolis card printers: escape commands over USB printer class or TCP."""
