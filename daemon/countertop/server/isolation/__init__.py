"""A driver in a process of its own: it may crash, hang or eat memory, and the daemon serves on."""
