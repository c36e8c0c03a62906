"""The engine deployment: one vLLM engine and the runner that carries out commands on it."""
