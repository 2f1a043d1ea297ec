"""What the house test looks for: pure checkers from a source text to a list of complaints.

Each complaint says where and what to do. ``test_house.py`` runs them over the project and, so that we know that they
can fail, over small planted violations.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Final

PLAN: Final[tuple[tuple[str, ...], ...]] = (
    ("errors",),
    ("catalogue", "rules", "stats"),
    ("theory",),
    ("results",),
    ("scenario",),
    ("journal",),
    ("engines",),
    ("live", "pbx", "studies"),
    ("reports", "server"),
    ("cli", "testing"),
    ("__main__",),
)
"""The plan of the house, from the ground up: packages and files directly under ``parksim``.

A file imports from its own package and from lower floors; those of one floor do not know each other, and the files
inside a package form no circle. ``parksim/README.md`` says what each room is for.
"""
NARROW: Final = {"catalogue": (), "rules": ("errors",), "stats": ("errors",), "theory": ("errors",)}
"""What these may import of parksim besides themselves, although the plan would let them do more."""
FRONT_DOOR: Final = "parksim"
"""May name anything, since it loads on first use (a test of its own sees to that); nothing goes through it."""

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

MAY_ASK_A_CLOCK: Final = frozenset({"parksim.engines.clocks", "parksim.engines.live"})
"""The live engine's own."""
DRAWS: Final = "parksim.scenario.workload"
DRAWS_OF_INPUTS: Final = "parksim.scenario.unknown"
"""Draws what is not known, outside of all replications: the workload is then drawn from what came out."""
READS_TABLES: Final = "parksim.reports.play.ziggurat"
"""Puts chosen words into NumPy's generator to read its tables; nothing that is simulated is drawn there."""
"""The one module with randomness."""
NEEDS_SECRETS: Final = "parksim.server"
"""Tokens are not simulation."""
MAY_PRINT: Final = frozenset({"parksim.cli.main", "parksim.reports.screen"})
WIRE: Final = ("parksim.rules.uapi", "parksim.server", "parksim.testing")
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


def floor_of(room: str, plan: tuple[tuple[str, ...], ...] = PLAN) -> int | None:
    """Return on which floor a room is, or nothing when the plan does not have it."""
    return next((number for number, rooms in enumerate(plan) if room in rooms), None)


def room_of(module: str) -> str:
    """Return the package or file directly under ``parksim`` that a module is in."""
    return module.split(".")[1] if "." in module else FRONT_DOOR


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


def upward_imports(
    source: str, module: str, known: frozenset[str], plan: tuple[tuple[str, ...], ...] = PLAN
) -> list[str]:
    """Complain of a room that the plan does not have, and of each import that does not point down, late ones too."""
    own = room_of(module)
    if own == FRONT_DOOR:
        return []
    floor = floor_of(own, plan)
    if floor is None:
        return [f"{module}: the plan has no room {own}; add it to PLAN in tests/house/house_rules.py"]
    complaints = []
    for line, name in imported(ast.parse(source), module, known):
        other = room_of(name)
        if name.split(".")[0] != "parksim" or other == own:
            continue
        below = floor_of(other, plan)
        if below is None or below >= floor or other not in NARROW.get(own, (other,)):
            complaints.append(f"{module}:{line}: imports {name}, which is not below {own} in the plan")
    return complaints


def circles(sources: Mapping[str, str]) -> list[str]:
    """Complain of files that import each other in a circle, however long, late imports included."""
    known = frozenset(sources)
    imports = {
        module: {name for _, name in imported(ast.parse(source), module, known) if name in known and name != module}
        for module, source in sources.items()
        if module != FRONT_DOOR
    }
    while leaves := [module for module, names in imports.items() if not names & imports.keys()]:
        for module in leaves:
            del imports[module]
    # What is left imports, at some remove, one of a circle; of these the circles are those that are also imported.
    while tops := imports.keys() - {name for names in imports.values() for name in names}:
        for module in tops:
            del imports[module]
    return [
        f"{module}: imports in a circle, {', '.join(sorted(names & imports.keys()))}"
        for module, names in sorted(imports.items())
    ]


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
    if (floor_of(room_of(module)) or 0) > (floor_of("engines") or 0) or module in MAY_ASK_A_CLOCK:
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
    if module in {DRAWS, DRAWS_OF_INPUTS, READS_TABLES}:
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
            f"{module}:{getattr(node, 'lineno', '?')}: {word} is UAPI's word, for rules/uapi/ and server/ only"
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
