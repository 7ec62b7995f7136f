"""The one error of the embedded servers. Imports nothing of the project."""


class EmbeddedServerError(Exception):
    """An embedded server cannot run. The message names the cause and the remedy for an operator."""
