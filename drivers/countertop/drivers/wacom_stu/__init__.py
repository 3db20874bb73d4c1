"""Driver of Wacom STU signature pads."""
