"""An emulated camera."""
