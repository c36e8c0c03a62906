"""Tests of reading and keying answers."""
