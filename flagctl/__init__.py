"""Feature flags as YAML in Git: checked, compiled, published and evaluated in-process."""

__version__ = "0.1.0"
