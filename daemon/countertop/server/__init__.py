"""The daemon: one per terminal, one runner per device, one event stream."""
