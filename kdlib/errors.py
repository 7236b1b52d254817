"""The one exception for what the user can put right. The command line prints it as one line."""


class UserError(ValueError):
    """Input that cannot be used. The message names the input, what is wrong and what to do."""


def first_line(error: Exception) -> str:
    """The first line of a library's error, to be quoted in ours.

    Args:
        error: any exception; one without a text is quoted by the name of its class.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
