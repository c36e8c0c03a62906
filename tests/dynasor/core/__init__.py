"""The core from submission to result, against a fleet in virtual time."""
