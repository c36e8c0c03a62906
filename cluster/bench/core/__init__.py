"""What the core costs, without a cluster: `python -m cluster.bench.core`."""
