"""The command ``parksim``."""
