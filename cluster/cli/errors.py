"""What a command says before it exits with status 1."""


class CliError(Exception):
    """A command can't do what was asked; the text is for the user."""
