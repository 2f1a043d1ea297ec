"""Every error of parksim, in one tree: ``except parksim.errors.ParksimError`` catches them all.

The command line prints the message of any of them and exits with its ``exit_code``: 2 where the input is wrong, 4 where
the work could not be finished. Each error is an error of Python's own kind as well (``ValueError``, ``OSError`` ...).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Final

MOST_SHOWN: Final = 10
"""This many messages about a scenario are shown; the others are counted."""


class ParksimError(Exception):
    """Something that parksim refuses or cannot do; the message says what, where and what to do next."""

    exit_code: ClassVar[int] = 2


# The input is wrong: exit code 2.


class ArgumentError(ParksimError, ValueError):
    """An argument has a value that the function cannot take."""


class WrongTypeError(ParksimError, TypeError):
    """An argument has a type that the function cannot take."""


class MissingNameError(ParksimError, AttributeError):
    """parksim has no public name like this."""


class UnknownNameError(ParksimError, KeyError):
    """A name under which a result holds nothing; the message has the nearest right one."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError's own shows it in quotes


class UsageError(ArgumentError):
    """Options that exclude each other, or a value out of range."""


class PlanError(ArgumentError):
    """Arguments that do not make a plan: which one, what is wrong with it, and what would do."""


class UnfitError(ArgumentError):
    """A value that breaks a rule.

    ``rule`` says what holds, ``step`` what to do next, ``at`` where below the place of the check the fault lies.
    """

    def __init__(self, rule: str, step: str = "", at: tuple[str | int, ...] = ()) -> None:
        """Keep the parts apart, so that the message can be laid out."""
        super().__init__(f"{rule}; {step}" if step else rule)
        self.rule = rule
        self.step = step
        self.at = at


class UnknownWordError(UnfitError):
    """A word outside a closed set: the key under which it stands ("" = here), and the set."""

    def __init__(self, rule: str, key: str, words: tuple[str, ...]) -> None:
        """Keep the set, so that the nearest word can be named."""
        super().__init__(rule, f"one of {', '.join(words)}", (key,) if key else ())
        self.words = words


class ScenarioError(ParksimError, ValueError):
    """A scenario cannot be used; ``messages`` holds one line for each thing that is wrong."""

    def __init__(self, messages: Iterable[str]) -> None:
        """Keep the messages; at most ``MOST_SHOWN`` are shown."""
        self.messages = tuple(messages)
        shown = self.messages[:MOST_SHOWN]
        hidden = len(self.messages) - len(shown)
        super().__init__("\n".join((*shown, f"... and {hidden} more") if hidden else shown))

    def __reduce__(self) -> tuple[type["ScenarioError"], tuple[tuple[str, ...]]]:
        return ScenarioError, (self.messages,)


class JournalError(ParksimError, ValueError):
    """A journal that cannot be read, with the file, the line where there is one, and what was expected."""


class LogError(JournalError):
    """A log that cannot be read: the file, the line where there is one, what is wrong and what to do."""

    def __init__(self, path: Path, line: int | None, rule: str, step: str) -> None:
        """Keep the line, so that a reader can open the file there."""
        where = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {rule}; {step}")
        self.line = line


class ConfigurationError(ParksimError, ValueError):
    """A PBX's configuration that cannot be read: the file, the line where there is one, what is wrong, what to do."""

    def __init__(self, path: Path, line: int | None, rule: str, step: str) -> None:
        """Keep the line, so that a reader can open the file there."""
        where = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {rule}; {step}")
        self.line = line


class DisagreementError(ParksimError, ValueError):
    """A journal that the rules would not have written cannot be replayed; ``finding`` names the row."""

    def __init__(self, finding: Any) -> None:
        """Keep the finding, a ``parksim.journal.audit.Finding``."""
        super().__init__(str(finding))
        self.finding = finding


class TokenError(ParksimError, ValueError):
    """Tokens cannot be used; ``messages`` holds one line for each thing that is wrong, without any token."""

    def __init__(self, messages: Iterable[str]) -> None:
        """Keep the messages."""
        self.messages = tuple(messages)
        super().__init__("\n".join(self.messages))


class CommandError(ParksimError, ValueError):
    """A command that is not possible: no such call, or not in a state for it. Nothing has changed."""


class RefusedError(ParksimError):
    """A request that the UAPI refuses; ``rules.uapi`` turns it into the documented reply.

    ``refusal`` is the code (``parksim.rules.uapi.Refusal``), ``got`` what the message shows of the input (at most 64
    characters), ``facts`` what the attempt left for the journal: the refused parks of a full lot.
    """

    def __init__(self, refusal: Any, got: str = "", facts: tuple[Any, ...] = ()) -> None:
        """Keep the refusal and the facts for the reply."""
        self.refusal = refusal
        self.facts = facts
        self.message = f"{refusal.message} Got {got}." if got else refusal.message
        super().__init__(self.message)


# The work could not be finished: exit code 4.


class UnfinishedError(ParksimError, RuntimeError):
    """Something that could not be finished, although the input was right."""

    exit_code: ClassVar[int] = 4


class StudyError(UnfinishedError):
    """A study that could not be finished: what was being run when a worker died."""


class StoreError(UnfinishedError):
    """A store that cannot be read or written: which file, why, and what to do next."""


class SessionError(UnfinishedError):
    """A session file that cannot be used; says which line, why, and what to do."""


class StateError(UnfinishedError):
    """A call that comes at the wrong time: a switchboard that runs already, traffic that has no end."""


class FailedError(UnfinishedError):
    """The switchboard has ended although nobody asked it to."""


class EndedError(ParksimError, StopAsyncIteration):
    """There are no further facts: the switchboard has ended."""


class InterruptedByUserError(ParksimError, KeyboardInterrupt):
    """The person at the keyboard has ended the work; says how it is resumed."""


class NumericalError(ParksimError, ArithmeticError):
    """A number that cannot be computed: a mean that is not finite, a series that does not converge."""

    exit_code: ClassVar[int] = 4


class BindError(ParksimError, OSError):
    """The address cannot be bound; the message says why and what to do."""

    exit_code: ClassVar[int] = 4


class OutputError(ParksimError, OSError):
    """A file that cannot be written."""

    exit_code: ClassVar[int] = 4


class MissingLibraryError(ParksimError, ImportError):
    """A library that is not installed; says which extra brings it."""

    exit_code: ClassVar[int] = 4
