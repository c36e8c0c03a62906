"""What another token is worth to a program: models learned from traffic without labels."""
