"""Acme receipt printers behind Countertop."""
