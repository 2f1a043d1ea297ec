"""Long commands that measure whether intervals and searches keep what they promise; none of them is in the suite."""
