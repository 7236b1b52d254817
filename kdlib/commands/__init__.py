"""The commands of `kdlib`: each parses its arguments, calls the package and prints the result."""
