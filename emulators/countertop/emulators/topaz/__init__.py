"""Emulated Topaz signature pads."""
