"""From files to blocks of tokens."""
