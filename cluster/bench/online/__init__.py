"""`dynasor bench online`: how much load each system takes while deadlines are met."""
