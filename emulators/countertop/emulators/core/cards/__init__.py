"""Cards and the machines that move them: what emulated card printers have in common."""
