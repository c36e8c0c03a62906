"""Recorded samples replayed through the real algorithm and the real policy."""
