"""How fast, how large: commands that print tables, not tests (see the README of the tests)."""
