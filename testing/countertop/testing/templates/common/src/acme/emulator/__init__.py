"""The emulated device. It shares no code with the driver: each is written from what the device does on the wire."""
