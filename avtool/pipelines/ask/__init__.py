"""`avtool ask`: a question about a picture or a film, answered, and by what."""
