"""Faults of ``tests.mutants`` that change nothing that anybody can see, by name, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {}
