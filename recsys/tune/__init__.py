"""Many trainings of one recipe: over seeds, without its parts, and with other settings."""
