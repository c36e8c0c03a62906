"""`dynasor bench fidelity`: the simulator next to the cluster that it simulates."""
