"""End-to-end tests: the application of `serve_configs/local.yaml` with real engines."""
