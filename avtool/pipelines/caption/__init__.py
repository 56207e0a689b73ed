"""`avtool caption`: a sentence for a picture, and for each shot of a film."""
