"""Acme ID readers behind Countertop."""
