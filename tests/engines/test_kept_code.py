"""The kernel's compiled code on disk: damage heals itself, and where nothing can be kept the kernel runs all the same.

One compilation takes twenty seconds or more, so one test goes through the states in turn; the others compile a small
function in the kernel's way.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from parksim.engines import _lift

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra fast")
CODE = "kernel-*.code"
DOUBLED = """
import json, os, sys
from parksim.engines import _lift

_lift.__file__ = os.path.join(os.environ["PLACE"], "_lift.py")

for line in sys.stdin:
    os.environ.update(json.loads(line))

    def doubled(number):
        return 2 * number

    doubled = _lift.compiled(doubled)
    assert doubled(21) == 42
    print("found" if doubled.stats.cache_hits else "compiled", flush=True)
"""


@pytest.fixture
def doubled(tmp_path):
    """Return a call that compiles a function which doubles a number, and tells how it came by its code.

    All calls are made in one process, which knows of none of them: a new one takes seconds to load Numba.
    """
    (tmp_path / "package").mkdir()
    (tmp_path / "home").mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA", "XDG"))}
    environment |= {"PLACE": str(tmp_path / "package"), "HOME": str(tmp_path / "home")}
    command = [sys.executable, "-W", "error", "-c", DOUBLED]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:

        def run(**more):
            process.stdin.write(json.dumps(more) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield run
        assert process.communicate() == ("", "")
    assert process.returncode == 0


DAMAGE = {
    "empty": lambda _: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "without its last byte": lambda whole: whole[:-1],
    "garbage": lambda _: os.urandom(1_000),
    "longer": lambda whole: whole + b"\0",
    "a flipped bit in the checksum": lambda whole: bytes([whole[0] ^ 1]) + whole[1:],
    "a flipped bit of the code": lambda whole: whole[:-100] + bytes([whole[-100] ^ 4]) + whole[-99:],
}


@needs_numba
def test_damaged_code_is_compiled_anew(doubled, tmp_path):
    """Empty, truncated, garbage or with one bit flipped: the code is compiled anew, and whole for the next run."""
    assert [doubled(), doubled()] == ["compiled", "found"]
    (file,) = (tmp_path / "package").rglob(CODE)
    whole = file.read_bytes()
    for name, damaged in DAMAGE.items():
        file.write_bytes(damaged(whole))
        assert [doubled(), doubled()] == ["compiled", "found"], name
    assert [*(tmp_path / "package").rglob("*.*")] == [file]


@needs_numba
def test_code_is_kept_in_the_home_where_the_package_is_not_writable(doubled, tmp_path):
    """A package's folder that takes no file leaves the cache of the home, or ``XDG_CACHE_HOME``."""
    (tmp_path / "package" / "__pycache__").write_bytes(b"")  # also for root, who may write everywhere
    assert [doubled(), doubled()] == ["compiled", "found"]
    assert len([*(tmp_path / "home" / ".cache" / "parksim").glob(CODE)]) == 1
    other = str(tmp_path / "other")
    assert [doubled(XDG_CACHE_HOME=other), doubled(XDG_CACHE_HOME=other)] == ["compiled", "found"]


@needs_numba
def test_without_a_place_the_code_is_compiled(doubled, tmp_path):
    """A package's folder that takes no file, and a home that takes none: compiled at every run, nothing left behind."""
    (tmp_path / "package" / "__pycache__").write_bytes(b"")
    (tmp_path / "home" / ".cache").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    assert [doubled(), doubled()] == ["compiled", "compiled"]
    assert sorted(tmp_path.rglob("*")) == before


class _Compiled:
    """What Numba hands over to be kept."""

    codegen = type("Codegen", (), {"magic_tuple": staticmethod(lambda: ("any", "processor"))})()

    def _reduce(self):
        return "code" * 100


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Return a keeper of code whose two places are below ``tmp_path``."""
    pytest.importorskip("numba")
    monkeypatch.setattr(_lift, "__file__", str(tmp_path / "package" / "_lift.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _lift.rules_digest()  # of the true package's files, while the disk has room
    return _lift.KeptCode()


def test_a_full_disk_leaves_no_half_of_a_file(kept, monkeypatch, tmp_path):
    """Where the disk is full after some bytes, no place has a file, whole or half, and nothing is raised."""

    def full(file, content):
        with file.open("wb") as out:
            out.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    kept.save_overload("signature", _Compiled())
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_nobody_knows_the_home(kept, monkeypatch, tmp_path):
    """Without HOME, and with a user that the system does not know, the package's folder is the only place."""

    def unknown(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", unknown)
    kept.save_overload("signature", _Compiled())
    assert [file.parent for file in tmp_path.rglob(CODE)] == [tmp_path / "package" / "__pycache__"]
    monkeypatch.setattr(_lift, "__file__", str(tmp_path / "package" / "__pycache__" / "no folder" / "_lift.py"))
    (tmp_path / "package" / "__pycache__" / "no folder").write_bytes(b"")
    kept.save_overload("signature", _Compiled())
    assert len([*tmp_path.rglob(CODE)]) == 1


def test_each_signature_has_its_own_file(kept, tmp_path):
    """Code for other arguments, or for another processor, lies beside; the same again takes its place."""
    other = _Compiled()
    other.codegen = type("Codegen", (), {"magic_tuple": staticmethod(lambda: ("another",))})()
    for signature, result in (("one", _Compiled()), ("one", _Compiled()), ("two", _Compiled()), ("one", other)):
        kept.save_overload(signature, result)
    assert len([*tmp_path.rglob(CODE)]) == 3
