"""Acme card printers behind Countertop."""
