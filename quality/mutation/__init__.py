"""Mutation testing of the codecs: `python -m quality.mutation`. Described in docs/quality.md."""
