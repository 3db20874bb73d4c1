"""Pens that write on emulated pads as a hand does."""
