"""`avtool lips`: a mouth for any sentence."""
