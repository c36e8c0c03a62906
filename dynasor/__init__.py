"""Scheduling of reasoning programs: pure decisions, no clock, no thread, no I/O."""
