"""The journal: what survives the daemon, in one SQLite file."""
