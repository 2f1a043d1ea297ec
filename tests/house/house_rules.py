"""What the house test looks for: pure checkers from a source text to a list of complaints.

Each complaint says where and what to do. ``test_house.py`` runs them over the project and, so that we know that they
can fail, over small planted violations.
"""

import ast
import re
import sys
from collections.abc import Iterator
from typing import Final

# The order of the modules: a file imports only from files above it. A name that ends in "." stands for a package whose
# modules may import each other. New modules are added here, in the place where their imports allow them.
ORDER: Final = (
    "parksim.rules",
    "parksim.rules.codes",
    "parksim.rules.lot",
    "parksim.rules.routing",
    "parksim.rules.life",
    "parksim.rules.uapi.models",
    "parksim.rules.uapi.register",
    "parksim.rules.uapi.calls",
    "parksim.rules.uapi.mirror",
    "parksim.rules.uapi.replies",
    "parksim.rules.uapi.service",
    "parksim.stats.special",
    "parksim.results",
    "parksim.scenario.quantities",
    "parksim.scenario.recordings",
    "parksim.scenario.laws",
    "parksim.scenario.messages",
    "parksim.scenario.comments",
    "parksim.scenario.sections",
    "parksim.scenario.lots",
    "parksim.scenario.model",
    "parksim.scenario.arguments",
    "parksim.scenario.workload",
    "parksim.journal.audit_books",
    "parksim.journal.audit_events",
    "parksim.journal.audit",
    "parksim.journal.journal",
    "parksim.theory.race",
    "parksim.theory.erlang",
    "parksim.theory.lot",
    "parksim.engines",
    "parksim.engines.processes",
    "parksim.engines.traffic",
    "parksim.engines.commanded",
    "parksim.engines._lift",
    "parksim.engines._state",
    "parksim.engines.kernel",
    "parksim.engines.clocks",
    "parksim.engines.live",
    "parksim.live",
    "parksim.journal.measures",
    "parksim.stats.survival",
    "parksim.pbx.formats",
    "parksim.pbx.calls",
    "parksim.pbx.log",
    "parksim.pbx.log_measures",
    "parksim.pbx.conformance",
    "parksim.pbx.durations",
    "parksim.pbx.fitting",
    "parksim.pbx.calibrate",
    "parksim.pbx.what_if",
    "parksim.pbx.replay",
    "parksim.stats.estimate",
    "parksim.stats.stopping",
    "parksim.studies.formulas",
    "parksim.studies.store",
    "parksim.studies.pools",
    "parksim.studies.study",
    "parksim.studies.gather",
    "parksim.studies.clusters",
    "parksim.studies.compare",
    "parksim.studies.search",
    "parksim.studies.solve",
    "parksim.studies.sweep",
    "parksim.cli.progress",
    "parksim.reports.words",
    "parksim.reports.figures",
    "parksim.reports.drawing",
    "parksim.reports.charts",
    "parksim.reports.screen",
    "parksim.reports.screen_plans",
    "parksim.reports.story_parts",
    "parksim.reports.story",
    "parksim.reports.markdown",
    "parksim.reports.html",
    "parksim.reports.tables",
    "parksim.studies.rerun",
    "parksim.server.",
    "parksim",  # the front door: nothing below the command line goes through it
    "parksim.cli.options",
    "parksim.cli.plans",
    "parksim.cli.serve",
    "parksim.cli.logs",
    "parksim.cli.report",
    "parksim.cli.main",
    "parksim.testing",
    "parksim.__main__",
)
EXCUSED_IMPORTS: Final = {
    (
        "parksim.results",
        "parksim.reports.tables",
    ): "results show themselves; tables are loaded when they are asked for",
    ("parksim.results", "parksim.reports.charts"): "results draw themselves; charts are loaded when they are asked for",
    ("parksim.results", "parksim.reports.html"): "results report themselves; pages are loaded when they are asked for",
    (
        "parksim.studies.study",
        "parksim.reports.screen",
    ): "Study.summary() shows itself; the screen is loaded when it is asked for",
}
"""(module, what it imports from below) -> why; only within a function, so that nothing is loaded in a circle."""
LAZY_FRONT_DOOR: Final = "parksim"
"""May name anything, since it loads on first use (a test of its own sees to that)."""

UNDER_THE_RULES: Final = frozenset(
    [
        "time",
        "random",
        "numpy",
        "simpy",
        "os",
        "sys",
        "pathlib",
        "secrets",
        "uuid",
        "io",
        "socket",
        "subprocess",
        "threading",
        "asyncio",
        "logging",
    ]
)
"""Modules no rule may import: they ask, write, draw or wait."""
RULES_MAY_USE: Final = {"parksim.rules.uapi.service": {"pydantic"}, "parksim.rules.uapi.models": {"pydantic"}}
FORBIDDEN_CALLS: Final = frozenset({"open", "print", "input", "exec", "eval"})
CLOCK_CALLS: Final = frozenset({"now", "utcnow", "today"})

DRAWS: Final = "parksim.scenario.workload"
"""The one module with randomness."""
NEEDS_SECRETS: Final = "parksim.server."
"""Tokens are not simulation."""
MAY_PRINT: Final = frozenset({"parksim.cli.main", "parksim.reports.screen"})
WIRE: Final = ("parksim.rules.uapi.service", "parksim.server.", "parksim.testing")
"""Where UAPI's spelling may stand (a prefix); drawn requests go over the wire, too."""

UAPI_WORDS: Final = frozenset(
    [
        *("phoneCalls", "phoneCall", "maxInParking", "phoneCallViewId", "phoneCallView", "parkedBy"),
        *("parkedPos", "parkedAgainst", "isGroupPark", "waitForPickUp", "waitForPickup", "callerId"),
        *("phoneCallId", "userId", "sendCallTo", "ownerId", "ownerName", "phoneNumber"),
        *("lineOwnerId", "startIndex", "totalResults", "itemsPerPage", "sortOrder", "filterBy"),
        *("filterOp", "filterValue", "phoneCallEvents", "onHold", "transferFromNumber", "transferNumber"),
        *("callerDestination", "callType", "callDuration", "allowPublicTransfer", "privacyEnabled", "conferenceInvite"),
    ]
)

FILE_LINES: Final = 600
FUNCTION_LINES: Final = 60

# Spelt in two halves, so that this file does not find itself.
LEFTOVERS: Final = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
MACHINE_PATHS: Final = re.compile(r"(?<![\w.])/(?:work|farm|root|tmp|home/\w+|Users/\w+)/")
REGISTRY_HOSTS: Final = re.compile(
    "|".join(re.escape(name + "." + end) for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")))
    + "|"
    + re.escape("deb." + "debian")
)


def level(module: str, order: tuple[str, ...] = ORDER) -> int | None:
    """Return the place of a module in the order, or nothing when it is not listed."""
    for place, listed in enumerate(order):
        if module == listed or (listed.endswith(".") and (module + ".").startswith(listed)):
            return place
    return None


def imported(tree: ast.AST, module: str, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of everything imported, submodules named in a ``from`` resolved against ``known``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.split(".")[: -node.level], *([base] if base else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in known else base


def _runs_on_import(node: ast.stmt) -> bool:
    return not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def upward_imports(source: str, module: str, known: frozenset[str], order: tuple[str, ...] = ORDER) -> list[str]:
    """Complain of a module that is not listed, or that imports from its own level or below."""
    own = level(module, order)
    if own is None:
        return [f"{module}: unknown module; add it to ORDER in tests/house/house_rules.py, where its imports allow"]
    if module == LAZY_FRONT_DOOR:
        return []
    complaints = []
    tree = ast.parse(source)
    at_once = {line for node in tree.body for line, _ in imported(node, module, known) if _runs_on_import(node)}
    for line, name in imported(tree, module, known):
        if name.split(".")[0] != "parksim" or name == module:
            continue
        if (module, name) in EXCUSED_IMPORTS and line not in at_once:
            continue
        other = level(name, order)
        together = other == own and order[own].endswith(".")
        if other is None or (other >= own and not together):
            complaints.append(f"{module}:{line}: imports {name}, which is not above it")
    return complaints


def impurities(source: str, module: str) -> list[str]:
    """Complain of what a module under the rules may not use: clocks, files, randomness, third parties."""
    tree = ast.parse(source)
    complaints = []
    for line, name in imported(tree, module, frozenset()):
        root = name.split(".")[0]
        foreign = root != "parksim" and root not in sys.stdlib_module_names
        if root in UNDER_THE_RULES or (foreign and root not in RULES_MAY_USE.get(module, ())):
            complaints.append(f"{module}:{line}: a rule may not import {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in FORBIDDEN_CALLS:
                complaints.append(f"{module}:{node.lineno}: a rule may not call {called.id}()")
            if isinstance(called, ast.Attribute) and called.attr in CLOCK_CALLS:
                complaints.append(
                    f"{module}:{node.lineno}: a rule gets the instant as an argument, not by {called.attr}()"
                )
    return complaints


def clocks(source: str, module: str) -> list[str]:
    """Complain of a module below the live engine's clocks that asks a clock: there time comes from the calendar."""
    own, first = level(module), level("parksim.engines.clocks")
    if own is None or first is None or own >= first:
        return []
    tree = ast.parse(source)
    asked = [(line, name) for line, name in imported(tree, module, frozenset()) if name.split(".")[0] == "time"]
    asked += [
        (node.lineno, node.func.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS
    ]
    return [f"{module}:{line}: {name} asks a clock; the instant is an argument" for line, name in asked]


def randomness(source: str, module: str) -> list[str]:
    """Complain of generators outside the workload; their type may be named, though not by engines."""
    if module == DRAWS:
        return []
    tree = ast.parse(source)
    in_engines = module.startswith("parksim.engines")
    complaints = []
    for line, name in imported(tree, module, frozenset()):
        drawn = name == "random" or (name in {"secrets", "uuid"} and not module.startswith(NEEDS_SECRETS))
        if drawn or (in_engines and name == "numpy.random"):
            complaints.append(f"{module}:{line}: imports {name}; all randomness is drawn in parksim.scenario.workload")
    for node in ast.walk(tree):
        named = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        of_random = isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"np.random", "numpy.random"}
        if named in {"default_rng", "SeedSequence"} or (of_random and (in_engines or named != "Generator")):
            complaints.append(
                f"{module}:{node.lineno}: uses {named}; all randomness is drawn in parksim.scenario.workload"
            )
        if isinstance(node, ast.ImportFrom) and node.module == "numpy.random":
            bad = [alias.name for alias in node.names if alias.name != "Generator"]
            complaints.extend(f"{module}:{node.lineno}: imports {name} from numpy.random" for name in bad)
    return complaints


def prints(source: str, module: str) -> list[str]:
    """Complain of ``print`` outside the command line and the report."""
    if module in MAY_PRINT:
        return []
    return [
        f"{module}:{node.lineno}: only {' and '.join(sorted(MAY_PRINT))} print"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def wire_words(source: str, module: str) -> list[str]:
    """Complain of UAPI's camelCase as a name or a whole string outside the wire (in prose it may be spoken of)."""
    if module.startswith(WIRE):
        return []
    complaints = []
    for node in ast.walk(ast.parse(source)):
        words = {
            getattr(node, field, None)
            for field in ("id", "attr", "arg", "name", "value")
            if not isinstance(node, ast.Call)
        }
        complaints.extend(
            f"{module}:{getattr(node, 'lineno', '?')}: {word} is UAPI's word, for rules/uapi*.py and server/ only"
            for word in words
            if isinstance(word, str) and word in UAPI_WORDS
        )
    return complaints


def lengths(source: str, name: str, excused: frozenset[str] = frozenset()) -> list[str]:
    """Complain of long files and long functions (docstrings not counted), but for the excused."""
    complaints = []
    if (lines := len(source.splitlines())) > FILE_LINES and name not in excused:
        complaints.append(f"{name}: {lines} lines; {FILE_LINES} are enough for one subject")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            if length > FUNCTION_LINES and f"{name}::{node.name}" not in excused:
                complaints.append(f"{name}:{node.lineno}: {node.name} has {length} lines; {FUNCTION_LINES} are enough")
    return complaints


def undocumented(source: str, name: str, *, only: str = "") -> list[str]:
    """Complain of public functions, classes and methods without a docstring; ``only`` = a prefix to look at."""

    def look(body: list[ast.stmt], inside: str) -> Iterator[str]:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            wanted = not node.name.startswith("_") and node.name.startswith(only)
            overload = any(ast.unparse(mark).endswith("overload") for mark in node.decorator_list)
            if wanted and not overload and ast.get_docstring(node) is None:
                yield f"{name}:{node.lineno}: {inside}{node.name} has no docstring"
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from look(node.body, f"{node.name}.")

    return list(look(ast.parse(source).body, ""))


def leftovers(text: str, name: str) -> list[str]:
    """Complain of work left open."""
    word = re.compile(r"\b(" + "|".join(LEFTOVERS) + r")\b")
    return [
        f"{name}:{number}: {found.group()} left over"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := word.search(line))
    ]


def machine_traces(text: str, name: str) -> list[str]:
    """Complain of paths of one machine and of registries' hosts."""
    return [
        f"{name}:{number}: {found.group()} belongs to a machine, not to the project"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line))
    ]


def unexplained(source: str, name: str) -> list[str]:
    """Complain of a check switched off without its code and, behind it, the reason."""
    switch = re.compile("# (?:no" + "qa|type: ig" + "nore|pragma: no cover)(.*)")
    reason = re.compile(r"(?:: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|\[[\w, -]+\])?\s+(?:#|-)\s*\w.*")
    return [
        f"{name}:{number}: say why: {found.group()}"
        for number, line in enumerate(source.splitlines(), 1)
        if (found := switch.search(line)) and not reason.fullmatch(found.group(1))
    ]
