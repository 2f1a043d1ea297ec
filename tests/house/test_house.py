"""The laws of the house, read from the code: layers, purity, lengths, words, what may lie where.

The checkers stand in ``house_rules.py``; each is shown here to catch a planted violation, so that a silent test is a
clean house and not a blind checker.
"""

import ast
import subprocess
import sys
from pathlib import Path

import plain_english
import pytest
from house_rules import (
    DRAWS,
    FILE_LINES,
    FUNCTION_LINES,
    LEFTOVERS,
    circles,
    clocks,
    imported,
    impurities,
    leftovers,
    lengths,
    machine_traces,
    prints,
    randomness,
    undocumented,
    unexplained,
    upward_imports,
    wire_words,
)

import parksim
from parksim import results

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {
    *("pyproject.toml", "README.md", "LICENSE", "parksim", "tests", "scenarios"),
    *("notebooks", ".ci", ".github", ".gitignore", ".gitattributes"),
}
HEAVY = {"numba", "pandas", "altair", "fastapi", "distributed", "scipy", "pyarrow", "rich"}
EXCUSED_LENGTHS: dict[str, str] = {
    "parksim/scenario/model": "one subject: a scenario, its checks, its canonical form, and its draws",
    "parksim/reports/story": "one subject: everything that a report says, for a study and for a sweep",
}
"""``file`` or ``file::function`` -> the reason why it is better long."""


def project_files() -> list[Path]:
    """Return the tracked files, relative to the root; where there is no git, all but hidden and made ones."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]
    hidden_or_made = ("__pycache__", "build", "dist")
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [
        path
        for path in found
        if not any(part in hidden_or_made or part.endswith(".egg-info") for part in path.parts)
        and (not path.parts[0].startswith(".") or path.parts[0] in TOP_LEVEL)
    ]


FILES = project_files()


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): (ROOT / path).read_text(encoding="utf-8")
    for path in FILES
    if path.parts[0] == "parksim" and path.suffix == ".py"
}
TESTS = {
    path.as_posix(): (ROOT / path).read_text(encoding="utf-8")
    for path in FILES
    if path.parts[0] == "tests" and path.suffix == ".py"
}
TEXTS = {
    path.as_posix(): (ROOT / path).read_text(encoding="utf-8", errors="replace")
    for path in FILES
    if path.suffix in {"", ".py", ".md", ".toml", ".ipynb", ".csv", ".json", ".jsonl", ".html", ".css", ".js", ".txt"}
}
KNOWN = frozenset(SOURCES)


def complaints_about_sources(checker, *more) -> list[str]:
    """Run a checker over every module of the package."""
    return [complaint for module, source in SOURCES.items() for complaint in checker(source, module, *more)]


def test_there_is_a_house():
    """The test reads the package and the tests, not an empty list."""
    assert {"parksim", "parksim.rules.lot", "parksim.scenario.workload"} <= set(SOURCES)
    assert len(TESTS) > 3
    assert {"pyproject.toml", "README.md"} <= set(TEXTS)


def test_imports_point_down():
    """Every room is in the plan, and its files import only from lower floors, also within functions."""
    assert complaints_about_sources(upward_imports, KNOWN) == []


def test_no_files_import_each_other():
    """No circle of imports, neither between packages nor inside one, late imports included."""
    assert circles(SOURCES) == []


def test_the_seam_leads_somewhere():
    """Each function that shows a result is where ``results.SHOWERS`` says."""
    assert [name for name in results.SHOWERS if not callable(results.shower(name))] == []


def test_the_rules_are_pure():
    """Under rules/ there is no clock, file, print, randomness, engine or NumPy; pydantic only for UAPI's models."""
    rules = {module: source for module, source in SOURCES.items() if module.startswith("parksim.rules")}
    assert len(rules) >= 4
    assert [complaint for module, source in rules.items() for complaint in impurities(source, module)] == []


def test_nothing_below_the_live_engine_asks_a_clock():
    """From the rules to the kernel time is an argument or comes from the calendar."""
    assert complaints_about_sources(clocks) == []


def test_randomness_is_drawn_in_one_place():
    """Generators are made in the workload, and where what is not known is drawn; laws get one; engines get none."""
    assert complaints_about_sources(randomness) == []


def test_only_the_border_prints():
    """``print`` stands in the command line and the report only."""
    assert complaints_about_sources(prints) == []


def test_the_words_of_the_wire_stay_at_the_wire():
    """UAPI's camelCase is spelt in rules/uapi/ and server/ only."""
    assert complaints_about_sources(wire_words) == []


def test_files_and_functions_are_short():
    """At most 600 lines a file and 60 a function, docstrings apart, but for those excused with a reason."""
    excused = frozenset(EXCUSED_LENGTHS)
    everything = {module.replace(".", "/"): source for module, source in SOURCES.items()} | TESTS
    assert [line for name, source in everything.items() for line in lengths(source, name, excused)] == []


def test_no_excuse_outlives_its_cause():
    """Each entry of the excused still names something that is too long."""
    everything = {module.replace(".", "/"): source for module, source in SOURCES.items()} | TESTS
    for excuse, reason in EXCUSED_LENGTHS.items():
        others = frozenset(EXCUSED_LENGTHS) - {excuse}
        name = excuse.split("::")[0]
        assert lengths(everything[name], name, others), f"{excuse} is short enough now: {reason}"


def test_everything_public_is_documented():
    """Each public function, class and method of the package has a docstring."""
    assert complaints_about_sources(undocumented) == []


def test_every_test_says_what_holds():
    """Each test function has a docstring, also within classes."""
    found = []
    for name, source in TESTS.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found += (
                    [] if ast.get_docstring(node) else [f"{name}:{node.lineno}: {node.name} does not say what holds"]
                )
    assert found == []


def test_nothing_is_left_open():
    """No leftover marks of unfinished work in any tracked text."""
    assert [complaint for name, text in TEXTS.items() for complaint in leftovers(text, name)] == []


def test_nothing_tells_of_a_machine():
    """No path of one machine and no registry's host in any tracked text."""
    assert [complaint for name, text in TEXTS.items() for complaint in machine_traces(text, name)] == []


def test_a_check_switched_off_says_why():
    """Each linter's or type checker's comment that silences it names its code and gives a reason."""
    assert [line for name, source in (SOURCES | TESTS).items() for line in unexplained(source, name)] == []


def test_the_words_are_plain():
    """Documentation, docstrings, help texts, messages and the board have no word of the dialect."""
    pages = (".md", ".html", ".ipynb", ".toml", ".js", ".css")
    found = [line for name, text in TEXTS.items() if name.endswith(pages) for line in plain_english.spoken(text, name)]
    found += [line for name, source in SOURCES.items() for line in plain_english.spoken_in_code(source, name)]
    assert found == []


def test_the_top_level_is_what_the_customer_fixed():
    """Nothing is at the top but the entries agreed on."""
    assert {path.parts[0] for path in FILES} <= TOP_LEVEL


def test_the_front_door_opens():
    """Every name of ``parksim.__all__`` resolves, none twice, and ``dir`` shows them."""
    names = parksim.__all__
    assert len(names) == len(set(names)) > 0
    assert [name for name in names if not hasattr(parksim, name)] == []
    assert set(names) <= set(dir(parksim))


@pytest.mark.parametrize(
    "statement", ["import parksim.live", "from parksim import live", "from parksim.live import Switchboard"]
)
def test_the_live_switchboard_has_one_public_name(statement):
    """However a new interpreter imports it first, ``parksim.live`` is one module, with what the engine offers."""
    script = f"""
{statement}
import sys, parksim, parksim.engines.live as engine
assert parksim.live is sys.modules["parksim.live"]
assert parksim.live.__all__ == engine.__all__
assert all(getattr(parksim.live, name) is getattr(engine, name) for name in engine.__all__)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def test_importing_parksim_loads_nothing_heavy():
    """``import parksim`` in a new interpreter loads none of the eight heavy libraries."""
    script = f"import sys, parksim; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The checkers, shown to see.

PLANTED = (("rules",), ("journal", "stats"), ("server",), ("cli",))
PLANTED_KNOWN = frozenset(
    ["parksim.rules.lot", "parksim.journal", "parksim.server.app", "parksim.server.page", "parksim.cli"]
)


@pytest.mark.parametrize(
    ("module", "source", "seen"),
    [
        ("parksim.journal", "from parksim.rules.lot import Fact", False),
        ("parksim.journal", "from parksim.rules import lot", False),
        ("parksim.journal", "import json", False),
        ("parksim.rules.lot", "from parksim.journal import Journal", True),
        ("parksim.rules.lot", "from parksim import journal", True),
        ("parksim.rules.lot", "import parksim.journal", True),
        ("parksim.rules.lot", "from .. import journal", True),
        ("parksim.rules.lot", "def f():\n    from parksim import journal", True),
        ("parksim.rules.lot", "if TYPE_CHECKING:\n    from parksim.journal import Journal", True),
        ("parksim.journal", "from parksim.stats.special import beta", True),  # on the same floor
        ("parksim.journal", "from parksim import run", True),  # through the front door
        ("parksim.server.app", "from parksim.server import page", False),
        ("parksim.server.page", "from parksim.server.app import app", False),
        ("parksim.server.app", "from parksim.cli import main", True),
        ("parksim.news", "", True),
    ],
)
def test_an_import_upwards_is_seen(module, source, seen):
    """Upward, sideways, late, relative and type-only imports are found; downward ones are not."""
    assert bool(upward_imports(source, module, PLANTED_KNOWN, PLANTED)) is seen


def test_a_narrow_room_is_kept_narrow():
    """The rules import nothing of parksim but its errors, whatever the plan has below them."""
    assert upward_imports("from parksim.errors import UnfitError", "parksim.rules.lot", frozenset()) == []
    assert len(upward_imports("from parksim.stats import special", "parksim.theory.lot", frozenset())) == 1


@pytest.mark.parametrize(
    ("imports", "seen"),
    [
        ({"a": "b", "b": "c", "c": "a", "d": "a", "e": ""}, {"a", "b", "c"}),
        ({"a": "b", "b": "a"}, {"a", "b"}),
        ({"a": "b", "b": "c", "c": "d", "d": ""}, set()),
    ],
)
def test_a_circle_is_seen(imports, seen):
    """Circles of two and three are found, late imports among them; what only leads into one is not."""
    sources = {
        f"parksim.x.{one}": f"def f():\n    from parksim.x.{other} import g" if other else ""
        for one, other in imports.items()
    }
    assert {complaint.split(":")[0].rpartition(".")[2] for complaint in circles(sources)} == seen


def test_an_unknown_room_is_told_where_to_go():
    """The complaint about a room that is not in the plan says which list it must be added to."""
    assert "add it to PLAN" in upward_imports("", "parksim.news", PLANTED_KNOWN)[0]


@pytest.mark.parametrize(
    "source",
    [
        *(f"import {name}" for name in ("time", "random", "numpy", "simpy", "os", "sys", "pathlib", "secrets", "uuid")),
        "import numpy as np",
        "from os.path import join",
        "from time import monotonic",
        "import pydantic",
        "import pandas",
        "x = open('f')",
        "print(1)",
        "d = datetime.now()",
        "d = datetime.datetime.utcnow()",
        "d = date.today()",
    ],
)
def test_an_impure_rule_is_seen(source):
    """Each banned import and call is found under the rules."""
    assert len(impurities(source, "parksim.rules.lot")) == 1


def test_values_of_time_and_models_are_pure():
    """Datetime types as values, and pydantic in the two UAPI modules, are no complaint."""
    assert impurities("from datetime import datetime\nd = datetime(2026, 1, 5)", "parksim.rules.uapi.service") == []
    assert impurities("import pydantic", "parksim.rules.uapi.models") == []


@pytest.mark.parametrize("source", ["import time", "from time import sleep", "d = datetime.now(UTC)"])
def test_a_clock_is_seen(source):
    """A clock is found in the journal, and is the live engine's own business."""
    assert len(clocks(source, "parksim.journal.journal")) == 1
    assert clocks(source, "parksim.engines.live") == []


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "import secrets",
        "rng = np.random.default_rng(1)",
        "rng = default_rng()",
        "x = np.random.normal()",
        "np.random.seed(1)",
        "from numpy.random import default_rng",
        "g = Generator(np.random.PCG64(1))",
    ],
)
def test_randomness_is_seen(source):
    """Each way to a generator is found outside the workload, and allowed in it."""
    assert randomness(source, "parksim.journal.measures") != []
    assert randomness(source, DRAWS) == []


def test_a_generator_is_an_argument_of_laws_and_a_stranger_to_engines():
    """Naming the type is allowed, but not in an engine; tokens may be made in the server."""
    source = "def draw_s(generator: np.random.Generator, n: int) -> None: ..."
    assert randomness(source, "parksim.scenario.laws") == []
    assert randomness(source, "parksim.engines.kernel") != []
    assert randomness("import secrets", "parksim.server.app") == []


def test_a_print_is_seen():
    """A print is found in the store and allowed on the command line."""
    assert len(prints("if x:\n    print(x)", "parksim.studies.store")) == 1
    assert prints("print(1)", "parksim.cli.main") == []


@pytest.mark.parametrize(
    "source",
    [
        "maxInParking = 1",
        "x.parkedBy",
        "f(phoneCallViewId=1)",
        "d['parkedPos']",
        "def f(sendCallTo): ...",
        "phoneCalls",
    ],
)
def test_a_word_of_the_wire_is_seen(source):
    """UAPI's words are found as names, attributes, keywords and keys; in prose and at the wire they may stand."""
    assert len(wire_words(source, "parksim.scenario.model")) == 1
    assert wire_words(source, "parksim.rules.uapi.models") == []
    assert wire_words(source, "parksim.server.app") == []
    assert wire_words("raise ValueError('maxInParking is 10 to 3600 s')", "parksim.scenario.model") == []


@pytest.mark.parametrize(
    "text",
    ["Whoever calls", "whatever\nit is", "each request bears a token", "there is none", "an hour, too", "it goes on"],
)
def test_a_word_of_the_dialect_is_seen(text):
    """A word of the list is found in any case, over the end of a line, in a page and in a docstring."""
    assert len(list(plain_english.spoken(text, "page.md"))) == 1
    assert len(plain_english.spoken_in_code(f'"""{text}"""', "module.py")) == 1
    assert list(plain_english.spoken("whichever is None bearing on and too", "page.md")) == []


def test_length_is_seen():
    """One line too many is found, in a file and in a function; a docstring does not count, and an excuse does."""
    assert lengths("x = 1\n" * FILE_LINES, "f") == []
    assert len(lengths("x = 1\n" * (FILE_LINES + 1), "f")) == 1
    assert lengths("x = 1\n" * (FILE_LINES + 1), "f", frozenset({"f"})) == []
    body = "    x = 1\n" * (FUNCTION_LINES - 1)
    assert lengths(f"def g():\n{body}", "f") == []
    assert len(lengths(f"def g():\n{body}    x = 1\n", "f")) == 1
    assert lengths(f'def g():\n    """A.\n\n    B.\n    """\n{body}', "f") == []
    assert lengths(f"def g():\n{body}    x = 1\n", "f", frozenset({"f::g"})) == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("def f(): ...", 1),
        ("class C: ...", 1),
        ('class C:\n    """C."""\n    def m(self): ...', 1),
        ('class C:\n    """C."""\n    def _m(self): ...\n    def __len__(self): ...', 0),
        ("def _f(): ...", 0),
        ("@overload\ndef f(): ...", 0),
        ('async def f():\n    """F."""', 0),
    ],
)
def test_a_missing_docstring_is_seen(source, seen):
    """Functions, classes and methods without a docstring are found, private ones and overloads are not."""
    assert len(undocumented(source, "f")) == seen


def test_leftovers_are_seen():
    """Each mark of unfinished work is found, within a comment or code; longer words are not."""
    for word in LEFTOVERS:
        assert len(leftovers(f"x = 1  # {word}: later", "f")) == 1
        assert leftovers(f"x = '{word}ish'", "f") == []


@pytest.mark.parametrize("path", ["work/main", "root/.cache", "tmp/x", "home/somebody/x", "Users/somebody/x", "farm/x"])
def test_a_machine_is_seen(path):
    """Absolute paths of a machine and hosts of registries are found; addresses within a service are not."""
    assert len(machine_traces(f"open('/{path}')", "f")) == 1
    assert machine_traces(f"GET /uapi/{path}", "f") == []
    assert len(machine_traces("https://" + "pypi" + ".org/simple", "f")) == 1


@pytest.mark.parametrize(
    ("comment", "seen"),
    [
        ("no" + "qa: SLF001", 1),
        ("no" + "qa: SLF001, ARG001", 1),
        ("no" + "qa: SLF001 - its own", 0),
        ("type: ig" + "nore[arg-type]", 1),
        ("type: ig" + "nore[arg-type]  # a stub's fault", 0),
        ("pragma: no cover", 1),
        ("pragma: no cover - other platforms", 0),
    ],
)
def test_a_silenced_check_is_seen(comment, seen):
    """A silenced check without a reason is found, one with a reason is not."""
    assert len(unexplained(f"x = 1  # {comment}", "f")) == seen


def test_imports_are_read_in_all_their_forms():
    """Plain, aliased, from a package, relative and nested imports all give the module they load."""
    source = "import a.b as c\nfrom parksim import rules\nfrom . import lot\nfrom .codes import X\nimport d, e"
    known = frozenset({"parksim.rules", "parksim.rules.lot"})
    names = [name for _, name in imported(ast.parse(source), "parksim.rules.routing", known)]
    assert names == ["a.b", "parksim.rules", "parksim.rules.lot", "parksim.rules.codes", "d", "e"]
