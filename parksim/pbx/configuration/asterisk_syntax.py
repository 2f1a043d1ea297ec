r"""The syntax of Asterisk's configuration files: sections, templates, includes, comments.

Source: main/config.c of Asterisk, and its sample files. ``;`` begins a comment, ``;--`` one of several lines that
``--;`` ends, and ``\;`` is a semicolon. ``[x](!)`` is a template, ``[y](x)`` has the settings of x before its own,
``[y](+)`` continues a section. ``#include`` names a file or a pattern, relative to the file that has the line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from parksim.errors import ConfigurationError
from parksim.pbx.configuration.lots import LeftOut, Setting, content_of
from parksim.scenario.messages import nearest

MOST_FILES: Final = 100
"""Files that include each other are read up to this many."""
_HEADER: Final = re.compile(r"\[(?P<name>[^\]]{1,80})\]\s*(?:\((?P<options>[^)]*)\))?\s*")
_DIRECTIVE: Final = re.compile(r"#\s*(?P<word>\w+)\s+[\"<]?(?P<file>[^\">]+)[\">]?\s*")
_NAME: Final = "name res_parking.conf or features.conf of Asterisk, or a dial plan of FreeSWITCH (XML)"


@dataclass
class Group:
    """A section: its settings in order, those of its templates first."""

    name: str
    line: int
    path: Path
    is_template: bool = False
    settings: list[Setting] = field(default_factory=list)
    remarks: list[Setting] = field(default_factory=list)
    """Comments; an export keeps there what Asterisk has no word for."""


def groups_of(path: Path, text: str) -> tuple[list[Group], list[LeftOut]]:
    """Return the sections of a file and of those it includes, and the lines that were passed over.

    Raises:
        ConfigurationError: an included file or a template is missing, or a line is no line of such a file.
    """
    reader = _Reader(path)
    reader.read(path, text)
    return list(reader.groups.values()), reader.left_out


class _Reader:
    """Reads a file and what it includes, section by section."""

    def __init__(self, path: Path) -> None:
        self.groups: dict[str, Group] = {}
        self.left_out: list[LeftOut] = []
        self._now: Group | None = None
        self._files = [path]

    def read(self, path: Path, text: str) -> None:
        for line, code, comment in _lines(text):
            if comment and self._now is not None:
                self._now.remarks.append(Setting(path, line, ";", comment))
            if code.startswith("["):
                self._begin(path, line, code)
            elif code.startswith("#"):
                self._directive(path, line, code)
            elif code:
                self._setting(path, line, code)

    def _begin(self, path: Path, line: int, code: str) -> None:
        found = _HEADER.fullmatch(code)
        if found is None:
            raise ConfigurationError(path, line, f"{code[:40]!r} is no section", "write [name], or [name](template)")
        name = found["name"].strip()
        options = [one.strip() for one in (found["options"] or "").split(",") if one.strip()]
        group = self.groups.setdefault(name.lower(), Group(name, line, path, "!" in options))
        for template in options:
            if template not in {"!", "+"}:
                group.settings += self._template(path, line, template).settings
        self._now = group

    def _template(self, path: Path, line: int, name: str) -> Group:
        if name.lower() in self.groups:
            return self.groups[name.lower()]
        near = nearest(name, [one.name for one in self.groups.values()])
        step = f"did you mean ({near})?" if near else f"write [{name}](!) above it"
        raise ConfigurationError(path, line, f"there is no template [{name[:40]}] above this line", step)

    def _directive(self, path: Path, line: int, code: str) -> None:
        found = _DIRECTIVE.fullmatch(code)
        word = "" if found is None else found["word"].lower()
        if found is None or word not in {"include", "tryinclude"}:
            key, _, value = code.partition(" ")
            why = "its output is not known without running it" if word == "exec" else "no directive that parksim knows"
            self.left_out.append(LeftOut(Setting(path, line, key, value.strip()), why))
            return
        name = found["file"].strip()
        for file in _files(path.parent, name):
            self._files.append(file)
            if len(self._files) > MOST_FILES:
                rule = f"more than {MOST_FILES} files are included"
                raise ConfigurationError(path, line, rule, "look for a file that includes itself")
            if not file.exists():
                if word == "include":
                    step = f"copy {file.name} to {file.parent}, or remove the line"
                    raise ConfigurationError(path, line, f"#include {name[:60]}: there is no such file", step)
                self.left_out.append(LeftOut(Setting(path, line, "#tryinclude", name), "there is no such file"))
                continue
            self.read(file, content_of(file))

    def _setting(self, path: Path, line: int, code: str) -> None:
        key, equals, value = code.partition("=")
        if not equals or not key.strip():
            step = _NAME if self._now is None else "write key = value"
            raise ConfigurationError(path, line, f"{code[:40]!r} is no setting of Asterisk", step)
        if self._now is None:
            raise ConfigurationError(path, line, f"{code[:40]!r} stands before the first section", _NAME)
        self._now.settings.append(Setting(path, line, key.strip().lower(), value.removeprefix(">").strip()))


def _files(folder: Path, name: str) -> list[Path]:
    """Return the files that an include names; a pattern may name none."""
    if not re.search(r"[*?\[]", name):
        return [folder / name]
    pattern = folder / name
    base = Path(pattern.anchor)
    return [] if "**" in name else sorted(base.glob(str(pattern.relative_to(base))))


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, what stands before a comment, the comment) of each line that has one or the other."""
    depth = 0
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        code, comment, rest = "", "", line
        while rest:
            mark = re.search(r"--;", rest) if depth else re.search(r"(?<!\\);", rest)
            if mark is None:
                code += "" if depth else rest
                break
            if depth:
                deeper = re.search(r";--(?!-)", rest[: mark.start()])
                depth += 1 if deeper else -1
                rest = rest[deeper.end() if deeper else mark.end() :]
                continue
            code += rest[: mark.start()]
            if not re.match(r";--(?!-)", rest[mark.start() :]):
                comment = rest[mark.end() :]
                break
            depth, rest = 1, rest[mark.start() + 3 :]
        code = code.replace("\\;", ";").strip()
        if code or comment.strip():
            yield number, code, comment.strip()
