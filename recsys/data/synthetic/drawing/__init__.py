"""Drawings of the synthetic products: a pen, textures, a stage and a sketch for each kind."""
