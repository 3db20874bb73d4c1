"""What the emulated camera sees."""
