"""Driver for Topaz signature pads on a serial line."""
