"""What emulators share: the buses they are served on, their clock, their faults."""
