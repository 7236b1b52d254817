"""From the chapters' notebooks and the package's data to the pages of a website. See book.py."""
