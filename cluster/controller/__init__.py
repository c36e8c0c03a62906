"""The controller deployment: the core, a clock and the transport to replicas and ingresses."""
