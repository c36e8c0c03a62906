"""Benchmarks on a running cluster."""
