"""The networks, one a file, and the table of their weights."""
