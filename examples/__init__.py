"""Programs that show what the engine does, each with its own words."""
