"""Emulated USB devices, reachable over USB/IP."""
