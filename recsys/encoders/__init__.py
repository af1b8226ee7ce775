"""Image and text encoders, their projection to 64 dimensions, and the lookup tables of a catalogue."""
