"""Plays a reader of resident identity cards: a SAM_V module on a serial port."""
