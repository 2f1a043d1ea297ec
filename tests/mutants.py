"""``python -m tests.mutants``: are small faults in rules, engines, measures and estimates seen by the tests?

Each mutant is the package with one small fault: another comparison, a boundary moved, an ``and`` for an ``or``,
another constant, a number one too large, a branch or a statement left out. ``JUDGES`` says how many faults a file
gets, and which tests judge it, the quickest that fit. A seed chooses the faults, spread over kinds and places, so
everybody gets the same ones. A worker has a copy of the project in a temporary folder, plants one fault after the
other and runs the tests until the first fails. A fault that no test sees survives; of each file at most 5 % may. A
fault that changes nothing that anybody could see is not planted: ``mutants_explained.py`` has them, each with the
reason.

The exit code is 1 where more survive. ``--keep FILE`` resumes: what was killed is not planted again, what survived is.
"""

import argparse
import ast
import hashlib
import itertools
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from tests.mutants_explained import EQUIVALENT

Answer = TypeVar("Answer")
ROOT: Final = Path(__file__).parents[1]
SEED: Final = 11
MOST_SURVIVORS: Final = 0.05
_BY_HAND: Final = "tests/engines/test_engines.py"
_UAPI: Final = " ".join(
    f"tests/rules/test_uapi_{one}.py" for one in ("vectors", "tables", "decisions", "ladder", "list", "mirror", "edges")
)
JUDGES: Final[dict[str, tuple[int, str]]] = {
    "parksim/rules/codes.py": (20, "tests/rules/test_codes.py"),
    "parksim/rules/life.py": (6, "tests/rules/test_codes.py tests/engines/test_audit_life.py"),
    "parksim/rules/lot.py": (24, "tests/rules/test_lot.py"),
    "parksim/rules/routing.py": (30, "tests/rules/test_routing.py"),
    "parksim/rules/uapi/calls.py": (20, f"-m quick {_UAPI}"),
    "parksim/rules/uapi/mirror.py": (10, f"-m quick {_UAPI}"),
    "parksim/rules/uapi/models.py": (20, f"-m quick {_UAPI}"),
    "parksim/rules/uapi/register.py": (20, f"-m quick {_UAPI}"),
    "parksim/rules/uapi/replies.py": (20, f"-m quick {_UAPI}"),
    "parksim/rules/uapi/service.py": (30, f"-m quick {_UAPI}"),
    "parksim/engines/attendants.py": (20, f"-k 'by_hand and simpy or at_random and simpy' {_BY_HAND}"),
    "parksim/engines/processes.py": (40, f"-k 'by_hand and simpy or at_random and simpy' {_BY_HAND}"),
    "parksim/engines/_attendants.py": (20, f"-k 'by_hand and kernel or at_random and kernel' {_BY_HAND}"),
    "parksim/engines/kernel.py": (40, f"-k 'by_hand and kernel or at_random and kernel' {_BY_HAND}"),
    "parksim/engines/_state.py": (40, f"-k 'by_hand and kernel or at_random and kernel or room or changes' {_BY_HAND}"),
    "parksim/engines/commanded.py": (40, "tests/engines/test_commanded.py tests/engines/test_live.py"),
    "parksim/journal/tally.py": (40, "-k 'three_ways' tests/journal/test_tally.py"),
    "parksim/journal/measures.py": (40, "-k 'by_hand or agree_with or follows' tests/journal/test_measures.py"),
    "parksim/stats/estimate.py": (40, "-k 'not as_often' tests/stats/test_estimate.py"),
    "parksim/stats/events.py": (40, "-k 'not hold_the_truth' tests/stats/test_events.py"),
    "parksim/stats/stopping.py": (20, "tests/stats/test_estimate_run_length.py"),
    "parksim/studies/estimates.py": (40, "-m quick tests/studies/test_estimates.py tests/studies/test_study.py"),
}
"""How many faults a file gets (fewer where it has fewer places), and the arguments of pytest for the tests that fit."""

# What is planted --------------------------------------------------------------------------------------------------

_BOUNDARIES: Final = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_OPPOSITES: Final = {
    one: other
    for pair in ((ast.Lt, ast.GtE), (ast.LtE, ast.Gt), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn))
    for one, other in (pair, pair[::-1])
}
_ARITHMETIC: Final = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Mod: ast.FloorDiv}
_EXTREMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One fault: in ``file`` the bytes from ``start`` to ``end``, which read ``before``, become ``after``."""

    file: str
    place: str
    line: int
    start: int
    end: int
    kind: str
    before: str
    after: str

    @property
    def name(self) -> str:
        """Say where it is and what it changes, without the number of the line, which other changes move."""
        return f"{self.file} {self.place}: {self.before} -> {self.after}"


class Planter(ast.NodeVisitor):
    """Finds each place of a file for a fault; there is none in texts, annotations, decorators, assertions, messages."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file, self.found = file, list[Mutant]()
        self._begins = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
        self._names: list[str] = []
        self._same: Counter[str] = Counter()
        self.visit(ast.parse(source))

    def _plant(self, node: ast.expr | ast.stmt, kind: str, after: ast.expr | str) -> None:
        start = self._begins[node.lineno - 1] + node.col_offset
        end = self._begins[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before, after = ast.unparse(node), after if isinstance(after, str) else ast.unparse(after)
        one = Mutant(self.file, ".".join(self._names) or "-", node.lineno, start, end, kind, before, after)
        self._same[one.name] += 1
        if self._same[one.name] > 1:  # the second of its name, the third, ...
            one = one._replace(place=f"{one.place}#{self._same[one.name]}")
        self.found.append(one)

    def _plant_other(self, node: ast.expr, kind: str, **fields: object) -> None:
        """Plant the expression with some of its fields replaced."""
        self._plant(node, kind, type(node)(**{name: getattr(node, name) for name in node._fields} | fields))

    def _visit_definition(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        self._names.append(node.name)
        for child in [
            *([*node.args.defaults, *filter(None, node.args.kw_defaults)] if hasattr(node, "args") else ()),
            *node.body,
        ]:
            self.visit(child)
        self._names.pop()

    visit_FunctionDef = visit_ClassDef = _visit_definition  # noqa: N815 - as ast calls them

    def _pass_over(self, node: ast.AST) -> None:
        """Plant nothing within."""

    visit_Assert = visit_Raise = visit_JoinedStr = visit_Import = visit_ImportFrom = _pass_over  # noqa: N815 - as ast calls them

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Look at the value only."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Move each boundary by one, and turn each comparison round."""
        for number, op in enumerate(node.ops):
            for kind, others in (("boundary", _BOUNDARIES), ("comparison", _OPPOSITES)):
                if type(op) in others:
                    self._plant_other(node, kind, ops=[*node.ops[:number], others[type(op)](), *node.ops[number + 1 :]])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Say ``or`` for ``and``, and the reverse."""
        self._plant_other(node, "and / or", op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Leave out a ``not`` or a minus."""
        self._plant(node, "not, minus", node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Compute something else."""
        if type(node.op) in _ARITHMETIC:
            self._plant_other(node, "arithmetic", op=_ARITHMETIC[type(node.op)]())
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Take the greatest for the least, some for all, and the reverse."""
        if isinstance(node.func, ast.Name) and node.func.id in _EXTREMES:
            self._plant_other(node, "min / max", func=ast.Name(_EXTREMES[node.func.id]))
        for child in (node.func, *node.args, *(one.value for one in node.keywords if one.arg != "strict")):
            self.visit(child)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Take the next whole number, another number, the other truth."""
        value = node.value
        if isinstance(value, bool):
            self._plant(node, "constant", str(not value))
        elif isinstance(value, int):
            self._plant(node, "off by one", str(value + 1))
        elif isinstance(value, float):
            self._plant(node, "constant", str(2.0 * value or 1.0))

    def visit_If(self, node: ast.If) -> None:
        """Leave a branch out."""
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._plant(node.test, "branch", "False")
            self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Leave a branch out."""
        self._plant(node, "branch", node.orelse)
        self.generic_visit(node)

    def _visit_statement(self, node: ast.Expr | ast.AugAssign) -> None:
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom)):
            self._plant(node, "statement", "pass")
        self.generic_visit(node)

    visit_Expr = visit_AugAssign = _visit_statement  # noqa: N815 - as ast calls them


def mutants_of(file: str, wanted: int) -> list[Mutant]:
    """Return the faults that a file gets: a digest of seed and name orders those of a kind, and the kinds take turns.

    So another change of the file leaves the choice among all other faults as it was.
    """
    found = sorted(
        Planter(file, (ROOT / file).read_bytes()).found,
        key=lambda one: hashlib.sha256(f"{SEED} {one.name}".encode()).digest(),
    )
    by_kind = [[one for one in found if one.kind == kind] for kind in sorted({one.kind for one in found})]
    turns = [one for turn in itertools.zip_longest(*by_kind) for one in turn if one is not None]
    faults = [one for one in turns if one.name not in EQUIVALENT]
    return sorted(faults[:wanted], key=lambda one: one.start)


# What becomes of it -----------------------------------------------------------------------------------------------

_RUN: Final = """
import hypothesis, pytest, resource, sys, time
cpu_s = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))  # a loop without end may also fill the memory
phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # the first example that fails will do
hypothesis.settings.register_profile("mutants", phases=phases, database=None, derandomize=True, deadline=None)
hypothesis.settings.load_profile("mutants")
code = pytest.main(sys.argv[2:])
print(time.process_time())
sys.exit(code)
"""


class Bench:
    """A copy of the project in which one fault at a time is planted and judged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("parksim", "tests", "scenarios", "pyproject.toml"):
            copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copied(ROOT / name, folder / name)
        # Code that was compiled before is taken for a source only if it has the digest of this very text.
        compile_all = [sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "checked-hash", "parksim"]
        subprocess.run(compile_all, cwd=folder, check=True)

    def passes_in_s(self, file: str, cpu_s: int = 300) -> float | None:
        """Return how many CPU seconds the tests that judge ``file`` took to pass, None if they did not pass."""
        arguments = shlex.split(f"{cpu_s} -x -q -p no:cacheprovider -p pytest_asyncio.plugin {JUDGES[file][1]}")
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "NUMBA_DISABLE_JIT": "1",
        }
        try:
            done = subprocess.run(
                [sys.executable, "-c", _RUN, *arguments],
                check=False,
                cwd=self.folder,
                env=environment,
                capture_output=True,
                timeout=10 * cpu_s,
            )
        except subprocess.TimeoutExpired:
            return None
        return float(done.stdout.split()[-1]) if done.returncode == 0 else None

    def survives(self, mutant: Mutant, cpu_s: int) -> bool:
        """Plant a fault and tell whether its tests pass all the same."""
        path = self.folder / mutant.file
        sound = path.read_bytes()
        after = mutant.after if mutant.after == "pass" else f"({mutant.after})"
        path.write_bytes(sound[: mutant.start] + after.encode() + sound[mutant.end :])
        try:
            return self.passes_in_s(mutant.file, cpu_s) is not None
        finally:
            path.write_bytes(sound)

    def patience_s(self, file: str) -> int:
        """Return how many CPU seconds the tests of a file may take, after a look whether they can judge at all.

        Raises:
            SystemExit: They fail without a fault, or do not see a file that cannot be read.
        """
        took_s = self.passes_in_s(file)
        if took_s is None:
            raise SystemExit(f"without any fault the tests of {file} fail: {JUDGES[file][1]}")
        if self.survives(Mutant(file, "", 1, 0, 0, "", "", "1 +"), 60):
            raise SystemExit(f"the tests of {file} do not see that it cannot be read: they test another copy")
        return round(3 * took_s) + 5


def judged(asked: dict[str, list[Mutant]], kept: set[str], workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each fault that is not kept, and whether it survives."""
    benches: queue.SimpleQueue[Bench] = queue.SimpleQueue()

    def at_a_bench(work: Callable[[Bench], Answer]) -> Answer:
        bench = benches.get()
        try:
            return work(bench)
        finally:
            benches.put(bench)

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(workers) as pool:
        for number in range(workers):
            benches.put(Bench(Path(folder, str(number))))
        try:
            for file, mutants in asked.items():
                to_do = [one for one in mutants if one.name not in kept]
                if not to_do:
                    continue
                cpu_s = at_a_bench(methodcaller("patience_s", file))
                told = [pool.submit(at_a_bench, methodcaller("survives", one, cpu_s)) for one in to_do]
                yield from ((one, done.result()) for one, done in zip(to_do, told, strict=True))
        finally:
            pool.shutdown(cancel_futures=True)


def main() -> int:
    """Plant, judge and print the table; return 1 where more survive than may, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="only files whose path has this text")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="killed faults are written here, and not planted again"
    )
    parser.add_argument("--list", action="store_true", help="print the faults and plant none")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    asked = {file: mutants_of(file, wanted) for file, (wanted, _) in JUDGES.items() if options.only in file}
    if options.list:
        for one in itertools.chain.from_iterable(asked.values()):
            print(f"{one.file}:{one.line}: {one.kind} in {one.place}: {one.before} -> {one.after}")
        return 0
    kept = (
        set(options.keep.read_text(encoding="utf-8").splitlines()) if options.keep and options.keep.exists() else set()
    )
    survivors: dict[str, list[Mutant]] = {file: [] for file in asked}
    for one, survives in judged(asked, kept, options.workers):
        if survives:
            survivors[one.file].append(one)
            print(
                f"survives: {one.file}:{one.line}: {one.kind} in {one.place}: {one.before} -> {one.after}", flush=True
            )
        elif options.keep:
            with options.keep.open("a", encoding="utf-8") as file:
                file.write(f"{one.name}\n")
    return told(asked, survivors)


def told(asked: dict[str, list[Mutant]], survivors: dict[str, list[Mutant]]) -> int:
    """Print how many faults each file and each kind got and how many survived; return the exit code."""
    print(f"\n{'file':34}{'planted':>9}{'survive':>9}{'equivalent':>12}   seed {SEED}")
    too_many = False
    for file, mutants in asked.items():
        left, alike = len(survivors[file]), sum(name.startswith(f"{file} ") for name in EQUIVALENT)
        too_many = too_many or left > MOST_SURVIVORS * len(mutants)
        print(f"{file:34}{len(mutants):9}{left:9}{alike:12}")
    kinds = Counter(one.kind for mutants in asked.values() for one in mutants)
    print(f"{'all':34}{kinds.total():9}{sum(map(len, survivors.values())):9}")
    print(", ".join(f"{number} {kind}" for kind, number in kinds.most_common()))
    return int(too_many)


if __name__ == "__main__":
    sys.exit(main())
