"""The one exception for what the user can put right. The command line prints it as one line."""


class UserError(ValueError):
    """Input that cannot be used. The message names the input, what is wrong and what to do."""
