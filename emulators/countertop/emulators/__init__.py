"""Emulators that come with Countertop: one folder per device family, none of which shares code with a driver."""
