"""Records a workload from a running cluster: questions with samples, long chains and search trees,
from which policies are tried and clusters simulated."""
