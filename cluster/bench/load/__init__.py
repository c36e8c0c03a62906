"""Open-loop load on a running cluster: `python -m cluster.bench.load`."""
