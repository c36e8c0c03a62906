"""`dynasor bench batch`: what each system takes to answer a fixed set of questions."""
