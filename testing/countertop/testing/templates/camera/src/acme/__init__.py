"""Acme cameras behind Countertop."""
