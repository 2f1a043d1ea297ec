"""Compiles the rules themselves for the kernel, and the kernel with them.

``lift`` copies the function objects of the rules into one namespace in which every name stands for the compiled sibling,
so that the rules stay plain Python for everybody else and are written once. Numba's own cache looks at a function's
file only and would serve a kernel compiled from yesterday's rules; so the cache folder bears the digest of all
sources that go into the kernel. Without Numba (extra ``fast``) everything is returned as it is and runs interpreted.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, Final, TypeVar

from parksim.rules import codes, lot, routing

try:
    import numba
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
        folder = place / f"kernel-{rules_digest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


def compiled(function: Function) -> Function:
    """Return ``function`` compiled by Numba, without fast-math; itself where Numba is not installed."""
    if numba is None:
        return function
    folder = cache_folder()
    if folder is None:
        return numba.njit(function)  # type: ignore[no-any-return]  # Numba has no stubs
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)  # read at decoration, once
    try:
        return numba.njit(cache=True)(function)  # type: ignore[no-any-return]  # Numba has no stubs
    finally:
        numba.config.CACHE_DIR = before


def lift(*modules: ModuleType) -> SimpleNamespace:
    """Return the functions and names of ``modules``, its functions compiled and calling each other compiled."""
    names: dict[str, Any] = {}
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                clone = FunctionType(value.__code__, names, name, value.__defaults__)
                names[name] = clone if numba is None else numba.njit(clone)
            elif not name.startswith("__"):
                names.setdefault(name, value)
    return SimpleNamespace(**names)
