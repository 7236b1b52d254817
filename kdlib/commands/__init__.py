"""The commands of `kdlib`: each reads its arguments, calls the package, and prints what came out."""
