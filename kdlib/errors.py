"""The one exception for what the user can put right. The command line prints it as one line."""


class UserError(ValueError):
    """Input that cannot be used. The message names the input, what is wrong and what to do."""


def first_line(error: BaseException) -> str:
    """The first line of a library's error, to be quoted in ours.

    Args:
        error: any exception; one without a text is quoted by the name of its class, and where the
            first line only announces the second, both are.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, KeyError) or not lines:  # the text of a KeyError is the key alone
        return " ".join([type(error).__name__, *lines[:1]])
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])
