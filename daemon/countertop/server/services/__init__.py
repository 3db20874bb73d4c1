"""The services, transport-free: one thin file each. A door binds them to the wire."""
