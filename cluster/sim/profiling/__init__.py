"""Measures what a real engine's steps and a real cluster's calls cost: `dynasor profile-engine`."""
