"""Compiles the rules themselves for the kernel, and the kernel with them.

``lift`` copies the function objects of the rules into one namespace in which every name stands for the compiled
sibling, so that the rules stay plain Python for everybody else and are written once. Numba's own cache looks at a
function's file only and would serve a kernel compiled from yesterday's rules, and it trusts the bytes that it finds; so
compiled code is kept here, in a file whose name has the digest of all that goes into the kernel, and a checksum guards
it. Without Numba (extra ``fast``) all is returned as it is and runs interpreted.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, TypeVar

from parksim.engines import compiling, trees
from parksim.journal import tally
from parksim.rules import codes, life, lot, routing

numba: Any
try:
    numba = import_module("numba")
except ImportError:  # the interpreted kernel gives the same rows, slower than SimPy does
    numba = None

Function = TypeVar("Function", bound=Callable[..., Any])
SOURCES: Final = (codes, life, lot, routing, tally)

is_compiled: Final = numba is not None and not numba.config.DISABLE_JIT
"""Whether the kernel is compiled here."""


@cache
def rules_digest() -> str:
    """Return the SHA-256 of the sources that the kernel is compiled from, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    files = [Path(str(module.__file__)) for module in SOURCES] + sorted(Path(__file__).parent.glob("*.py"))
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


class KeptCode:
    """Keeps for Numba what it has compiled: a file for each signature, its SHA-256 first.

    A file that is not whole is no code: the kernel is compiled anew and the file written over. Where no place takes a
    file (a full disk, folders of somebody else, no home) each process compiles for itself.
    """

    cache_path = None

    def _files(self, signature: Any, codegen: Any) -> Iterator[Path]:
        here = numba.__version__, numba.config.BOUNDSCHECK, codegen.magic_tuple(), sys.implementation.cache_tag
        digest = hashlib.sha256(repr((rules_digest(), here, signature)).encode()).hexdigest()
        name = f"kernel-{digest[:32]}.code"
        yield Path(__file__).parent / "__pycache__" / name
        with suppress(RuntimeError):  # nobody knows the home
            yield Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "parksim" / name

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the code kept for ``signature``, or None."""
        target.refresh()
        for file in self._files(signature, target.codegen()):
            with suppress(OSError):
                content = file.read_bytes()
                if hashlib.sha256(content[32:]).digest() == content[:32]:
                    result = import_module("numba.core.compiler").CompileResult
                    return result._rebuild(target, *pickle.loads(content[32:]))  # noqa: S301, SLF001 - whole, and ours
        compiling.tell(begins=True)
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep ``result`` for ``signature``, in the first place that takes it whole."""
        compiling.tell(begins=False)
        code = import_module("numba.core.serialize").dumps(result._reduce())  # noqa: SLF001 - as Numba's own cache
        for file in self._files(signature, result.codegen):
            beside = file.with_suffix(f".{os.getpid()}")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                beside.write_bytes(hashlib.sha256(code).digest() + code)
                beside.replace(file)
            except OSError:
                with suppress(OSError):
                    beside.unlink()
            else:
                return


def inlined(function: Function) -> Function:
    """Return ``function`` for compiled code, into which LLVM inlines it; itself where nothing is compiled.

    Nothing in the kernel allocates, so its code is made without reference counts: they cost three quarters of the
    speed, and so would calls that are not inlined.

    What compiling costs is front end and LLVM for each function and each set of argument types. So whole numbers of any
    kind are passed as 64 bits, which is one set of types; there is no way in from Python; and the passes of Numba that
    find nothing in functions like these are left out.
    """
    if not is_compiled:
        return function
    options = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher: Any = numba.njit(pipeline_class=_pipeline(), **options)(function)
    find = dispatcher.get_call_template

    def find_wide(arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        wide, integer = numba.types.int64, numba.types.Integer
        return find(tuple(wide if isinstance(one, integer) else one for one in arguments), named)

    def refuse(*_: object) -> None:
        raise TypeError(f"{function.__name__} is called by compiled code only")

    dispatcher.get_call_template = find_wide
    dispatcher._insert = lambda *_: None  # noqa: SLF001 - else a call from Python would jump to address 0
    dispatcher._compile_for_args = refuse  # noqa: SLF001 - which is what a call from Python comes to then
    return dispatcher  # type: ignore[no-any-return]  # is called like the function


IDLE_PASSES: Final = frozenset(
    {
        *("WithLifting", "InlineClosureLikes", "RewriteSemanticConstants", "DeadBranchPrune", "RewriteDynamicRaises"),
        *("MakeFunctionToJitFunction", "InlineInlinables", "FindLiterallyCalls", "LiteralUnroll"),
        *("LiteralPropagationSubPipelinePass", "InlineOverloads", "NopythonRewrites", "DumpParforDiagnostics"),
        *("NoPythonSupportedFeatureValidation", "AnnotateTypes"),
    }
)
"""Passes of Numba for what the kernel has not: closures, ``with``, literal arguments, expressions of whole arrays."""


@cache
def _pipeline() -> Any:
    """Return Numba's compiler without ``IDLE_PASSES``, and without code of its own for each function."""
    compiler = import_module("numba.core.compiler")
    machinery: Any = import_module("numba.core.compiler_machinery")
    lowering: Any = import_module("numba.core.typed_passes").NativeLowering

    @machinery.register_pass(mutates_CFG=True, analysis_only=False)
    class ForOthers(lowering):  # type: ignore[misc]  # Numba has no stubs
        """Makes code that is only inlined: LLVM gets it once, with all the rest, and it is never called as it is."""

        _name = "for_others"

        def run_pass(self, state: Any) -> bool:
            library = state.library = state.targetctx.codegen().create_library(state.func_id.func_qualname)
            library._optimize_final_module = lambda: None  # noqa: SLF001 - Numba has no other way to leave it out
            library._finalize_final_module = partial(setattr, library, "_finalized", True)  # noqa: SLF001 - as above
            state.flags.no_compile = True
            super().run_pass(state)
            called = object()
            state.targetctx.insert_user_function(called, state.cr.fndesc, [library])
            state["cr"] = state.cr._replace(cfunc=called)
            return True

    def define_pipelines(self: Any) -> list[Any]:
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (ForOthers, one[1]) if one[0] is lowering else one
            for one in passes.passes
            if one[0].__name__ not in IDLE_PASSES
        ]
        passes.finalize()
        return [passes]

    return type("Pipeline", (compiler.CompilerBase,), {"define_pipelines": define_pipelines})


def compiled(function: Function) -> Function:
    """Return ``function`` compiled by Numba and kept on disk, without fast-math; itself without Numba."""
    if not is_compiled:
        return function
    dispatcher: Function = numba.njit(_nrt=False)(function)
    dispatcher._cache = KeptCode()  # type: ignore[attr-defined]  # noqa: SLF001 - where Numba puts its own
    return dispatcher


def lift(*modules: ModuleType) -> Any:
    """Return a module of the functions and names of ``modules``, functions compiled and calling each other compiled."""
    lifted = ModuleType("lifted")  # Numba follows names into modules only
    names = vars(lifted)
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                clone = FunctionType(value.__code__, names, name, value.__defaults__)
                clone.__module__ = module.__name__  # by which the code that is kept finds it again
                names[name] = inlined(clone)
            elif not name.startswith("__"):
                names.setdefault(name, value)
    return lifted


rules: Final = lift(lot, routing, trees)
"""The rules of ``lot`` and ``routing``, and what keeps their tree and their lines, compiled."""
counting: Final = lift(tally)
"""The fold over facts, compiled."""


@cache
def _holder() -> Any:
    """Return the function that compiled code has for ``held``, and teach Numba the type of what it returns."""
    cgutils: Any = import_module("numba.core.cgutils")
    extending: Any = import_module("numba.extending")
    model: Any = extending.models.PrimitiveModel
    template: Any = import_module("numba.core.typing.templates").AttributeTemplate

    class Held(numba.types.Type):  # type: ignore[misc]  # Numba has no stubs
        """A pointer to a named tuple."""

        def __init__(self, content: Any) -> None:
            self.content = content
            super().__init__(f"Held({content})")

    class HeldModel(model):  # type: ignore[misc]  # Numba has no stubs
        def __init__(self, manager: Any, held: Any) -> None:
            super().__init__(manager, held, manager.lookup(held.content).get_value_type().as_pointer())

    class HeldAttribute(template):  # type: ignore[misc]  # Numba has no stubs
        key = Held

        def generic_resolve(self, held: Any, name: str) -> Any:
            return held.content[held.content.fields.index(name)]

    def load(_context: Any, builder: Any, held: Any, place: Any, name: str) -> Any:
        return builder.load(cgutils.gep_inbounds(builder, place, 0, held.content.fields.index(name)))

    def hold(_typing: Any, content: Any) -> Any:
        def store(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return cgutils.alloca_once_value(builder, values[0])

        return Held(content)(content), store

    extending.register_model(Held)(HeldModel)
    extending.infer_getattr(HeldAttribute)
    extending.lower_getattr_generic(Held)(load)
    return extending.intrinsic(hold)


def _itself(arrays: Any) -> Any:
    return arrays


held: Final = _holder() if is_compiled else _itself
"""Returns a named tuple as inlined functions are to get it.

That is a pointer to it on the stack, one word in place of a hundred for a dozen arrays; LLVM does away with it when
all is inlined. Passing the words costs a third of the time that the kernel takes to compile.
"""


@cache
def _prefetcher() -> Any:
    """Return the function that compiled code has for ``prefetch``."""
    cgutils: Any = import_module("numba.core.cgutils")
    extending: Any = import_module("numba.extending")
    llvm: Any = import_module("llvmlite.ir")

    def prefetch(_typing: Any, array: Any, place: Any) -> Any:
        def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, values[0]).data
            word, number = cgutils.voidptr_t, llvm.IntType(32)
            kind = llvm.FunctionType(llvm.VoidType(), [word, number, number, number])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            where = builder.bitcast(builder.gep(data, [values[1]]), word)
            builder.call(function, [where, number(0), number(3), number(1)])  # to read, near, of data
            return context.get_dummy_value()

        return numba.types.none(array, place), call

    return extending.intrinsic(prefetch)


def _nothing(_array: Any, _place: int) -> None:
    """Do nothing."""


prefetch: Final = _prefetcher() if is_compiled else _nothing
"""Asks the processor to bring a place of an array, counted through all its axes, near before it is needed."""
