"""Receipt printers that speak ESC/POS, over a serial port or TCP."""
