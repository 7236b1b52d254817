"""The one exception that means: the user can mend this. The command line prints it as one line."""


class UserError(ValueError):
    """Input that cannot be used. The message names the thing, what it was and what to do."""
