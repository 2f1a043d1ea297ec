"""Whether intervals cover and searches find: tests, and commands for what takes minutes (see the tests' README)."""
