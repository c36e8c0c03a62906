"""The OpenAI-compatible HTTP door, and the Python handle behind it."""
