"""What a cluster is asked, and when: questions, arrivals, mixes; what became of it. The simulator
and the benchmarks share it."""
