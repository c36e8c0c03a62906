"""What benchmarks compare: this cluster in variants, and what would be used instead of it."""
