"""Wrong scenario files: what is wrong is told in one message with file, line, key, value, rule and next step."""

import re
import string
import tomllib
from pathlib import Path

import pytest
from cases_of_wrong_scenarios import DURATION, RIGHT, WRONG
from hypothesis import given, settings
from hypothesis import strategies as st

from parksim.scenario import positions
from parksim.scenario.model import TEMPLATE, Scenario, ScenarioError

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))


def message(text, name="f.toml", folder="."):
    """Return the error's text for a scenario that must not load."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(text, name=name, folder=folder)
    return str(caught.value)


def test_the_right_file_is_right():
    """The file from which all wrong ones are made loads, so each fault is the one that was put in."""
    assert Scenario.loads(RIGHT).lot.slots == 6


@pytest.mark.parametrize(("old", "new", "expected"), WRONG)
def test_one_fault_gives_one_complete_message(old, new, expected):
    """Each single fault gives exactly the one line written here: place, key, value, rule and next step."""
    assert RIGHT.count(old) == 1
    prefix = "f.toml, " if expected.startswith("line") else "f.toml"
    assert message(RIGHT.replace(old, new)) == prefix + expected.replace("{D}", DURATION)


def test_several_faults_are_told_in_the_order_of_the_file():
    """Faults in different places come one a line, by line number."""
    text = RIGHT.replace("count = 3", "count = 0").replace("slots = 6", "slots = 0").replace('"90/h"', "90")
    told = message(text).splitlines()
    assert [re.search(r"line (\d+)", line)[1] for line in told] == ["7", "9", "14"]


def test_at_most_ten_faults_are_shown():
    """Of many faults ten are shown and the rest is counted; none is lost from ``messages``."""
    text = RIGHT.replace("slots = 6", "slots = 6\n" + "".join(f"zzz{i} = 1\n" for i in range(25)))
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(text)
    assert len(caught.value.messages) == 25
    assert str(caught.value).splitlines()[10:] == ["... and 15 more"]


def keys_of(text):
    """Yield (path, line, start, end) of every key that stands alone or in an inline table on a line of its own."""
    table, several = (), {}
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r'"[^"]*"', lambda found: "_" * len(found[0]), line).split("#")[0]
        one_of_several = re.match(r"\[\[(\w+)\]\]", code)
        if one_of_several:
            name = one_of_several[1]
            several[name] = several.get(name, -1) + 1
            if several[name] == 0:
                yield (name,), number, one_of_several.start(1), one_of_several.end(1)
            table = (name, several[name])
            continue
        header = re.match(r"\[(\w+)\]", code)
        if header:
            table = (header[1],)
            yield table, number, header.start(1), header.end(1)
            continue
        names = [(found[1], found.start(1), found.end(1)) for found in re.finditer(r"(\w+) *= ", code)]
        for depth, (name, start, end) in enumerate(names):
            path = (*table, name) if depth == 0 else (*table, names[0][0], name)
            if set(name) != {"_"}:
                yield path, number, start, end


def mutations():
    """Yield (name, text, line, wrong path, right key): one letter changed in every key, each place of a key once."""
    seen = set()
    for name, text in [("TEMPLATE", TEMPLATE), *((path.name, path.read_text()) for path in SCENARIOS)]:
        kinds = re.findall(r'kind = "(\w+)"', text)
        for path, line, start, end in keys_of(text):
            if path[:2] == ("uapi", "users") and len(path) > 2:
                continue
            kind = re.search(r'kind = "(\w+)"', text.splitlines()[line - 1])
            mark = (path, kind[1] if kind else kinds[0] if path[0] == "arrivals" else "")
            if mark in seen:
                continue
            seen.add(mark)
            for at in range(start, end):
                row = text.splitlines()[line - 1]
                letter = "x" if row[at] != "x" else "y"
                wrong = row[:at] + letter + row[at + 1 :]
                lines = text.splitlines()
                lines[line - 1] = wrong
                yield name, "\n".join(lines), line, (*path[:-1], wrong[start:end]), path[-1]


def test_a_mistyped_key_is_named_with_its_line_and_the_right_key():
    """Change any letter of any key of any shipped scenario: one message names that key, its line and the right key."""
    count = 0
    for name, text, line, path, right in mutations():
        told = message(text, "f.toml", SCENARIOS[0].parent).splitlines()
        assert len(told) == 1, (name, told)
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
        assert told[0].startswith(f"f.toml, line {line}: {place} = "), (name, told)
        assert told[0].endswith(f'did you mean "{right}"?'), (name, told)
        count += 1
    assert count > 500


def test_every_shipped_key_is_reached_by_the_mutations():
    """The list of keys that are mistyped is complete: it is what the TOML reader finds in the shipped files."""

    def paths(table, above=()):
        for key, value in table.items():
            yield (*above, key)
            if isinstance(value, dict):
                yield from paths(value, (*above, key))
            for place, one in enumerate(value if isinstance(value, list) else []):
                if isinstance(one, dict):
                    yield from paths(one, (*above, key, place))

    for text in [TEMPLATE, *(path.read_text() for path in SCENARIOS)]:
        expected = {path for path in paths(tomllib.loads(text)) if path[:2] != ("uapi", "users") or len(path) == 2}
        assert {path for path, *_ in keys_of(text) if path[:2] != ("uapi", "users") or len(path) == 2} == expected


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_the_line_of_every_key_is_found(path):
    """The lines noted for messages are those that a search by eye and regular expression finds."""
    text = path.read_text()
    lines = positions.scan(text).lines
    for key, number, *_ in keys_of(text):
        assert lines[key] == number


def test_lines_inside_all_kinds_of_toml():
    """Dotted and quoted keys, strings of many lines, arrays over lines and arrays of tables keep their lines."""
    text = (
        'a.b = 1\n"c d".\'e\' = """\nf = 2\n"""\ng = [\n 1, # ]\n { h = "]" },\n]\n'
        "i = '''\n[x]\n'''\n[[t]]\nu = 1\n[[t]]\nu = { v = [1,\n2] }\n[t.w]\nx = 1979-05-27 07:32:00\n"
    )
    lines = positions.scan(text).lines
    assert lines == {
        ("a",): 1,
        ("a", "b"): 1,
        ("c d",): 2,
        ("c d", "e"): 2,
        ("g",): 5,
        ("g", 0): 6,
        ("g", 1): 7,
        ("g", 1, "h"): 7,
        ("i",): 9,
        ("t",): 12,
        ("t", 0): 12,
        ("t", 0, "u"): 13,
        ("t", 1): 14,
        ("t", 1, "u"): 15,
        ("t", 1, "u", "v"): 15,
        ("t", 1, "u", "v", 0): 15,
        ("t", 1, "u", "v", 1): 16,
        ("t", 1, "w"): 17,
        ("t", 1, "w", "x"): 18,
    }


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"# nothing\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\x7fELF\x00\x01", "is a binary file"),
        (b'name = "a"\nb = "\xff"\n', "line 2: is not UTF-8 text"),
        (b"#" * (1024 * 1024 + 1), "is larger than 1 MiB"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"a = " + b"{b=" * 50_000, "nested too deeply"),
        (b"a" + b".a" * 200_000 + b" = 1", "a key of too many parts"),
        (b"[" + b"a." * 200_000 + b"a]", "a key of too many parts"),
        (b"a = " + b"9" * 5_000, "too many digits"),
        (b"a = 1\na = 2\n", "line 2: a: is given twice, first in line 1"),
        (b"[a]\nb = 1\n[c]\n[a]\n", "line 4: a: is given twice, first in line 1"),
        (b"a = {b = 1, b = 2}\n", "line 1: a.b: is given twice, first in line 1"),
        (b'name = "a\n', "line 1, column 10: is no valid TOML"),
        (b"name = ", "line 1, column 8: is no valid TOML"),
        (b"name", "line 1, column 5: is no valid TOML"),
        (b"=", "line 1, column 1: is no valid TOML"),
        (b"a = '''" + b"''a" * 100_000, "is no valid TOML"),
        (b"\n" * 100_000, "is empty"),
    ],
)
def test_hostile_files_get_one_message(tmp_path, content, rule):
    """Broken, huge and malicious files are refused at once, in one short line, by the name of the file."""
    path = tmp_path / "hostile.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(path)
    told = str(caught.value)
    assert told.startswith(str(path))
    assert rule in told
    assert len(told) < 400 + len(str(path))
    assert told.isprintable()


def test_missing_files_and_folders_are_told(tmp_path):
    """A name that is no file is refused, with the file that was probably meant."""
    (tmp_path / "hospital.toml").write_text(RIGHT)
    for name, rule in [
        ("hospitl.toml", f'there is no such file; did you mean "{tmp_path / "hospital.toml"}"?'),
        ("hospital.tml", f'there is no such file; did you mean "{tmp_path / "hospital.toml"}"?'),
        ("hospital", f'there is no such file; did you mean "{tmp_path / "hospital.toml"}"?'),
        ("nowhere/else.toml", "there is no such file; parksim init writes one to begin with"),
        (".", "is a folder; name a scenario file (TOML)"),
        ("a\0b", "cannot be read (embedded null byte); name a readable file"),
    ]:
        with pytest.raises(ScenarioError) as caught:
            Scenario.load(tmp_path / name)
        assert str(caught.value).endswith(f": {rule}")
        assert len(caught.value.messages) == 1


def test_a_device_is_not_read():
    """A device has no end, so it is not even opened."""
    with pytest.raises(ScenarioError, match="is not a regular file"):
        Scenario.load("/dev/zero")


@pytest.mark.parametrize(
    ("content", "old", "new", "rule"),
    [
        ("a,b\n1,2\n", "", "", "calls.csv has 2 columns; say which one with column = ...: a, b"),
        (
            "offered_at,b\n1,2\n",
            "",
            'column = "offered"',
            'calls.csv has no column "offered"; did you mean "offered_at"?',
        ),
        ("", "", "", "calls.csv is empty"),
        ("offered_at\n", "", "", "calls.csv has a header and no values"),
        ("offered_at\n1\nx\n", "", "", "calls.csv, line 3: 'x' is not a number of seconds"),
        ("offered_at\n2026-01-05 08:00\nx\n", "", "", "calls.csv, line 3: 'x' is not a date and time"),
        (
            "offered_at\n2026-01-05 08:00\n2026-01-05 08:00+01:00\n",
            "",
            "",
            "line 3: '2026-01-05 08:00+01:00' mixes dates",
        ),
        ("offered_at\n2026-01-05 08:00\n2062-01-05 08:00\n", "", "", "spans 13150 days; look for a wrong date"),
        ("offered_at,b\n1,2\n,3\n", "", 'column = "offered_at"', "calls.csv, line 3: the column has no value there"),
        ("offered_at\nnan\n", "", "", "'nan' is not a date and time"),
        ("offered_at\n1\n1e30\n", "", "", "'1e30' is out of range"),
        ("\0\0", "", "", "calls.csv is not a text file"),
        ("1\n2\n", "", 'resample = "weeks"', "must be days"),
        ("1\n2\n", 'horizon = "1d"', 'horizon = "2d"', 'with resample = "days" a replication is one day'),
    ],
)
def test_recorded_files_are_checked(tmp_path, content, old, new, rule):
    """A recorded file that cannot be used is refused with its name and, for a bad cell, the line in it."""
    (tmp_path / "calls.csv").write_text(content)
    extra = "" if old else new
    text = RIGHT.replace('kind = "poisson"\nrate = "90/h"', f'kind = "recorded"\nfile = "calls.csv"\n{extra}')
    if old:
        text = text.replace('file = "calls.csv"', 'file = "calls.csv"\nresample = "days"').replace(old, new)
    told = message(text, folder=tmp_path)
    assert rule in told
    assert told.startswith("f.toml, line ")
    assert len(told.splitlines()) == 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=string.printable, max_size=200))
def test_no_text_gives_a_traceback(text):
    """Whatever the text, loading ends with a scenario or with ``ScenarioError``."""
    with pytest.raises(ScenarioError):
        Scenario.loads(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_gives_a_traceback(data):
    """Cut or overwrite any stretch of a good file: it loads still, or says in printable lines what is wrong."""
    start = data.draw(st.integers(0, len(RIGHT)))
    end = data.draw(st.integers(start, min(start + 12, len(RIGHT))))
    text = RIGHT[:start] + data.draw(st.text(alphabet=string.printable, max_size=8)) + RIGHT[end:]
    try:
        scenario = Scenario.loads(text, name="f.toml")
    except ScenarioError as error:
        assert all(line.isprintable() and line.startswith("f.toml") for line in str(error).splitlines()[:10])  # noqa: PT017 - either is right
    else:
        assert Scenario.model_validate_json(scenario.canonical) == scenario


def test_wrong_values_given_by_hand_are_told_as_such():
    """A fault in a replaced value names the switch, not the line it replaced; others keep their lines."""
    scenario = Scenario.loads(RIGHT, name="f.toml")
    for values, expected in [
        ({"lot.slots": 0}, "f.toml: lot.slots = 0: must be at least 1; write a larger number"),
        ({"lot.slosts": 1}, 'f.toml: lot.slosts = 1: unknown key; did you mean "slots"?'),
        ({"lot.slots.a": 1}, "lot.slots.a: lot.slots = 6 is no table; set lot.slots as a whole"),
        ({"lot slots": 1}, "'lot slots': is no key; write one such as lot.slots"),
        ({"": 1}, "'': is no key; write one such as lot.slots"),
        (
            {"run.warm_up": "2d"},
            (
                "f.toml, line 3: run.horizon = '1d': the horizon (86400 s) must be later than the warm-up (172800 s); "
                "lengthen horizon or shorten warm_up"
            ),
        ),
    ]:
        with pytest.raises(ScenarioError) as caught:
            scenario.with_values(values)
        assert str(caught.value) == expected
