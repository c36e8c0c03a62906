"""The reasoning algorithms, file by file."""
