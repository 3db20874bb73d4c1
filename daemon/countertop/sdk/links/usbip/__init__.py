"""USB devices over USB/IP, in user space: no kernel module, no rights."""
