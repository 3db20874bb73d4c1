"""For those who test: an emulated terminal in a fixture, strategies for hypothesis, conformance suites for drivers."""
