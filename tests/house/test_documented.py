"""The documentation is true: shell examples run, screens are as printed, commands, options and keys exist."""

import re
import shlex
import shutil
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

import parksim
from parksim.cli import main as cli

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("", ".github", "notebooks", "scenarios", "tests/**", "parksim/**")
    for path in sorted(ROOT.glob(f"{folder}/*.md" if folder else "*.md"))
}
RUN_ELSEWHERE = {
    "pip install": "the environment that runs the tests was made so",
    "-m venv": "the same",
    "pytest": "these tests",
    "mypy": "the continuous integration runs it",
    "python -m tests.": "commands that take minutes; that their modules are there is tested below",
    "python tests/": "the same",
    "curl": "tests/server/test_serve.py runs these lines against a server",
    "parksim serve": "the same",
}
"""What a shell line has in it -> where it is run, since it is not run here."""


def blocks_of(language: str) -> list[tuple[str, str]]:
    """Return (page, content) of the fenced blocks of a language."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [(page, block) for page, text in PAGES.items() for block in fence.findall(text)]


def run(line: str, folder: Path) -> str:
    """Run a documented command in a folder and return what it prints; ``&&`` joins commands.

    Two replications say as much of a command as thirty, sooner.
    """
    printed = ""
    for command in line.split(" && "):
        words = shlex.split(command, comments=True)
        assert words[0] in {"parksim", ".venv/bin/parksim"}, f"{command}: is run nowhere"
        done = subprocess.run(
            [sys.executable, "-m", "parksim", *words[1:]], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        printed += done.stdout
    return printed


@pytest.fixture
def folder(tmp_path):
    """A folder with the shipped scenarios, as a reader has it."""
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "tests/pbx").mkdir(parents=True)
    shutil.copytree(ROOT / "tests/pbx/traces", tmp_path / "tests/pbx/traces")
    return tmp_path


@pytest.mark.parametrize("block", [block for _, block in blocks_of("sh")])
def test_shell_examples_run(block, folder):
    """Each line of a shell example runs and exits with 0, but for those that another place runs."""
    lines = [] if "curl" in block else [line for line in block.splitlines() if line.strip()]
    here = [line for line in lines if not any(words in line for words in RUN_ELSEWHERE)]
    for line in here:
        short = "--replications 2" if re.search(r"parksim (run|sweep) ", line) else ""
        run(re.sub(r"(parksim (?:run|sweep) \S+)", rf"\1 {short}", line), folder)


@pytest.mark.parametrize(
    "block", [block for _, block in blocks_of("text") if re.match(r"\$ parksim (run|export) ", block)]
)
def test_screens_are_as_printed(block, folder):
    """Each line of a screen stands in what its command prints, in this order; dots are left out."""
    command, *lines = block.splitlines()
    printed = run(command.removeprefix("$ "), folder).splitlines()
    wanted = [line.rstrip() for line in lines if line.strip() != "..."]
    assert [line.rstrip() for line in printed if line.rstrip() in wanted] == wanted


def test_documented_modules_are_there():
    """Each ``python -m tests.x`` and ``python tests/x.py`` of the documentation is a file."""
    modules = {found for text in PAGES.values() for found in re.findall(r"python -m (tests[\w.]+\w)", text)}
    scripts = {found for text in PAGES.values() for found in re.findall(r"python (tests/[\w/]+\.py)", text)}
    assert len(modules) >= 5
    files = {ROOT / module.replace(".", "/") for module in modules}
    assert [
        str(file) for file in files if not (file.with_suffix(".py").exists() or (file / "__main__.py").exists())
    ] == []
    assert [script for script in scripts if not (ROOT / script).exists()] == []


def documented_commands() -> list[tuple[str, str]]:
    """Return (page, command line) of everything in Markdown that begins with ``parksim`` and a word."""
    found = []
    for page, text in PAGES.items():
        found += [(page, line) for line in re.findall(r"`((?:\.venv/bin/)?parksim [a-z][^`\n]*)`", text)]
        found += [
            (page, line.strip().removeprefix("$ "))
            for language in ("sh", "text")
            for where, block in blocks_of(language)
            if where == page
            for line in block.splitlines()
            if re.match(r"(\$ )?(\.venv/bin/)?parksim [a-z]", line)
        ]
    return found


def unknown_in(line: str) -> list[str]:
    """Complain of a command that there is not, and of options that it does not have."""
    words = line.split()[1:]
    command = words[0].strip(";,.")
    if command not in cli.app:
        return [f"{line}: there is no command {command}"]
    options = {name for argument in cli.app[command].assemble_argument_collection() for name in argument.names}
    wanted = re.findall(r"(?<!\S)--[a-z][\w-]*", " ".join(words))
    return [f"{line}: {command} has no option {option}" for option in wanted if option not in options | {"--help"}]


def test_documented_commands_and_options_exist():
    """Each command and option in Markdown is one of the command line's."""
    commands = documented_commands()
    assert len(commands) > 30
    assert [complaint for _, line in commands for complaint in unknown_in(line)] == []


def test_an_undocumented_command_is_seen():
    """A command and an option that do not exist are found."""
    assert unknown_in("parksim rum hospital") == ["parksim rum hospital: there is no command rum"]
    assert unknown_in("parksim run hospital --sed 1") == ["parksim run hospital --sed 1: run has no option --sed"]
    assert unknown_in("parksim run hospital --seed 1") == []


def test_every_command_is_in_the_readme():
    """Each command of the command line is named on the front page."""
    names = [name for name in cli.app if not name.startswith("-")]
    assert len(names) >= 15
    assert [name for name in names if f"parksim {name}" not in PAGES["README.md"]] == []


def test_documented_keys_exist():
    """Each key in the documentation's ``--set``, ``--over`` and ``solve`` is a key of a scenario."""
    keys = {
        key
        for text in PAGES.values()
        for key in re.findall(
            r"(?:--set |--over |--what-if |solve \S+ )'?((?:lot|attendants|run|parking|recall)\.[\w.]+)", text
        )
    }
    assert len(keys) >= 3
    scenario = parksim.Scenario.load(ROOT / "scenarios/hospital.toml")
    assert [key for key in keys if attrgetter(key)(scenario) is None] == []  # a wrong key is an AttributeError
