"""Data sets: opening, splitting, masking, validating, describing and making them."""
