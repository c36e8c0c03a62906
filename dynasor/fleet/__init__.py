"""Live replicas: what runs there, what their caches hold, and where the next branch goes."""
