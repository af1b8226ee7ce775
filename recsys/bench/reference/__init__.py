"""The published design's costly parts, put into our ensemble to compare with; nothing here serves a shop."""
