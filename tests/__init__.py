"""The tests. A package only so that ``python -m tests.speed`` finds the measurements from the project's root."""
