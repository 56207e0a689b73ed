"""`avtool show`: a page to look at and to listen to."""
