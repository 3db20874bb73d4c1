"""Measuring presentation attack detection on a bank's own pictures, with the words of ISO/IEC 30107-3."""
