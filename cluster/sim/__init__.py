"""The simulator: the same core in virtual time, around simulated replicas."""
