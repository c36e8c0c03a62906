"""Serving of reasoning programs on Ray Serve and vLLM."""
