"""`dynasor bench smoke`: every benchmark at its smoke size, on one cluster."""
