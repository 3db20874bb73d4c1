"""Drivers that come with Countertop: one folder per device family."""
