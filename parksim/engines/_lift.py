"""Compiles the rules themselves for the kernel, and the kernel with them.

``lift`` copies the function objects of the rules into one namespace in which every name stands for the compiled
sibling, so that the rules stay plain Python for everybody else and are written once. Numba's own cache looks at a
function's file only and would serve a kernel compiled from yesterday's rules; so the name of the cache folder has the
digest of all sources that go into the kernel. Without Numba (extra ``fast``) all is returned as it is and runs
interpreted.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, TypeVar

from parksim.rules import codes, lot, routing

numba: Any
try:
    numba = import_module("numba")
except ImportError:  # the interpreted kernel gives the same rows, some sixty times slower
    numba = None

Function = TypeVar("Function", bound=Callable[..., Any])
SOURCES: Final = (codes, lot, routing)

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


@cache
def cache_folder() -> Path | None:
    """Return the folder for compiled code, or None where nothing can be written (it is compiled anew then)."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for place in (Path(__file__).parent / "__pycache__", home / "parksim"):
        folder = place / f"kernel-{rules_digest()[:16]}{'-checked' if numba.config.BOUNDSCHECK else ''}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


def inlined(function: Function) -> Function:
    """Return ``function`` to be inlined by Numba into its callers; itself where Numba is not installed.

    Nothing in the kernel allocates, so its code is made without reference counts: they cost three quarters of the
    speed, and so would calls that pass some thirty arrays.
    """
    return function if numba is None else numba.njit(forceinline=True, _nrt=False)(function)


def compiled(function: Function) -> Function:
    """Return ``function`` compiled by Numba and kept on disk, without fast-math; itself without Numba."""
    if numba is None:
        return function
    folder = cache_folder()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder or "")  # read at decoration, once
    try:
        return numba.njit(cache=folder is not None, _nrt=False)(function)  # type: ignore[no-any-return]  # Any
    finally:
        numba.config.CACHE_DIR = before


def lift(*modules: ModuleType) -> Any:
    """Return a module of the functions and names of ``modules``, functions compiled and calling each other compiled."""
    lifted = ModuleType("lifted")  # Numba follows names into modules only
    names = vars(lifted)
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                clone = FunctionType(value.__code__, names, name, value.__defaults__)
                clone.__module__ = module.__name__  # where Numba's cache looks for it
                names[name] = clone if numba is None else numba.njit(_nrt=False)(clone)
            elif not name.startswith("__"):
                names.setdefault(name, value)
    return lifted


rules: Final = lift(lot, routing)
"""The rules of ``lot`` and ``routing``, compiled."""
