"""Statistics: numbers in, estimates out; NumPy only."""
