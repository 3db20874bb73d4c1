"""Throws bytes at everything that reads bytes: `python -m quality.fuzz`."""
