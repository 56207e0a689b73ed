"""`avtool serve`: the commands in a browser, on this machine."""
