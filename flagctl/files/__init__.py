"""YAML text to model and back: the one room that knows how flag files are spelled."""
