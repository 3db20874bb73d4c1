"""Acme signature pads behind Countertop."""
