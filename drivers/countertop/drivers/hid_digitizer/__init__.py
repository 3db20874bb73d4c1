"""Driver for pen digitizers on HID."""
