"""The command that writes a scenario to start from: from what the user knows, or a copy of a shipped one."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from parksim.cli import options as opt
from parksim.errors import UnfitError, UsageError


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Known:
    """What the user knows of the switchboard: the options of init; ``scenario.drafts`` has a question for each."""

    calls: Annotated[str | None, Parameter(help="Calls in the busiest hour, or 24 numbers, one an hour.")] = None
    attendants: Annotated[str | None, Parameter(help="How many attendants answer them.")] = None
    parked: Annotated[str | None, Parameter(help="Share of the calls that is parked: 40%.")] = None
    stay: Annotated[str | None, Parameter(help="How long a parked call stays, on average: 2m.")] = None
    slots: Annotated[str | None, Parameter(help="Slots of the lot.")] = None
    time_out: Annotated[str | None, Parameter(help="After which a parked call comes back: 180s.")] = None
    in_time: Annotated[str | None, Parameter(help="Within how long an answer is in time: 20s.")] = None
    refused: Annotated[str | None, Parameter(help="At most this share of parks may find the lot full: 1%.")] = None
    returned: Annotated[str | None, Parameter(help="At most this share of parked calls may come back: 25%.")] = None
    answered: Annotated[str | None, Parameter(help="At least this share of calls is answered in time: 80%.")] = None
    hang_ups: Annotated[
        str | None, Parameter(help="At most this share of callers may hang up before an answer: 5%.")
    ] = None


NOTHING = Known()


def init_command(
    path: Annotated[Path | None, Parameter(help="Where to write it; stdout if left out.")] = None,
    *,
    source: Annotated[
        str | None, Parameter(name="--from", help="Copy this shipped scenario (`parksim scenarios` lists them).")
    ] = None,
    known: Known = NOTHING,
) -> opt.Answer:
    """Write a commented scenario to start from; in a terminal, ask for what was not given."""
    from parksim.results import write
    from parksim.scenario import shipped

    answers = {name: text for name, text in asdict(known).items() if text is not None}
    if source is not None and answers:
        raise UsageError("--from copies a scenario as it is; leave it out, or change the copy with --set")
    origin = None if source is None else shipped.found(source)
    beside = [] if origin is None else shipped.files_of(origin)
    if path is None and beside:
        raise UsageError(f"{source} needs {beside[0].name} beside it; name a file to write, {source}.toml")
    if path is not None:
        for target in (path, *(path.parent / file.name for file in beside)):
            _check_free(target)
    if path is not None and origin is None and not answers and sys.stdin.isatty() and sys.stderr.isatty():
        answers = _asked()
    text = _drafted(answers, path) if origin is None else origin.read_text(encoding="utf-8")
    if path is None:
        return opt.Answer(text)
    copies = {path: text} | {path.parent / file.name: file.read_text(encoding="utf-8") for file in beside}
    for target, content in copies.items():
        write(target, content)
    return opt.Answer(f"{' and '.join(map(str, copies))}: written. Next: parksim run {path}\n")


def _check_free(target: Path) -> None:
    if target.exists():
        raise UsageError(f"{target} exists already; parksim init overwrites nothing, name another file")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}")


def _drafted(answers: dict[str, str], path: Path | None) -> str:
    """Return the scenario of the answers.

    Raises:
        UsageError: an answer cannot be read; the message names its option.
        ScenarioError: the answers together make no valid scenario.
    """
    from parksim.scenario.drafts import check, draft
    from parksim.scenario.model import Scenario

    try:
        check(answers)
    except UnfitError as error:
        name = str(error.at[0])
        raise UsageError(f"--{name.replace('_', '-')} {answers[name]}: {error}") from None
    text = draft(answers)
    Scenario.loads(text, name=str(path or "parksim: the answers"))
    return text


def _asked() -> dict[str, str]:
    """Ask the questions on a terminal, each until its answer can be used; Enter takes what stands in brackets."""
    from parksim.scenario.drafts import QUESTIONS, check

    answers: dict[str, str] = {}
    sys.stderr.write("Enter takes what stands in brackets, which is a guess; Ctrl-C ends.\n")
    for one in QUESTIONS:
        while True:
            sys.stderr.write(f"{one.words} [{one.usual}]: ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            if not answer.strip():
                break
            try:
                check({one.name: answer.strip()})
            except UnfitError as error:
                sys.stderr.write(f"  {error}\n")
                continue
            answers[one.name] = answer.strip()
            break
    return answers
