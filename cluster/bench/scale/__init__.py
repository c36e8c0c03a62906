"""`dynasor bench scale`: what the controller costs as simulated clusters grow."""
