"""Doors: what binds the services to a transport."""
