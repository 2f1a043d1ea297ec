"""Journals: the facts of a run, what they must obey, and the measures that are computed from them."""

from parksim.errors import JournalError
from parksim.journal.journal import COLUMNS, Journal, JournalWriter
from parksim.journal.measures import Measures, measure

__all__ = ["COLUMNS", "Journal", "JournalError", "JournalWriter", "Measures", "measure"]
