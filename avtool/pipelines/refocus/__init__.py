"""`avtool refocus`: one face sharp, everything else out of focus by its depth."""
