"""`dynasor bench overhead`: what the path from a client to an engine and back costs."""
