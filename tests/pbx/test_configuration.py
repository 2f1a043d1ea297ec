"""The configuration of a PBX in and out: lots are read as the PBX reads them, and nothing is lost on the way back."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import parksim
from parksim.errors import ConfigurationError
from parksim.pbx.configuration.exported import SYSTEMS, export, numbers_between
from parksim.pbx.configuration.imported import read_configuration

HERE = Path(__file__).parent / "configurations"
SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
ENDINGS = {"asterisk": "conf", "freeswitch": "xml"}
REST = """name = "x"
run = { horizon = "1h" }
arrivals = { kind = "poisson", rate = "1/h" }
attendants = { count = 1, handling = 0 }
retrieval = { never = 1 }
caller = { patience = "1h" }
"""


def written(folder, text, name="res_parking.conf"):
    """Write a configuration file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def back(scenario, system, folder):
    """Return a scenario with the lots, [parking] and [recall] of its own export."""
    found = read_configuration(written(folder, export(scenario, system), f"lots.{ENDINGS[system]}"))
    plain = json.loads(scenario.canonical)
    tables = found.tables
    plain |= {"lot": tables["lot"]}
    plain |= {table: plain[table] | tables.get(table, {}) for table in ("parking", "recall")}
    return parksim.Scenario.of_canonical(json.dumps(plain))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_nothing_of_a_shipped_scenario_is_lost(path, system, tmp_path):
    """What a PBX has no word for comes back from the remarks."""
    scenario = parksim.Scenario.load(path)
    assert back(scenario, system, tmp_path) == scenario


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "lot",
    [
        '[lot]\nslots = 1\nfirst = 0\nchoice = "random"\nmax_in_parking = "unlimited"\nlimits = "pbx"',
        '[lot]\nslots = 10000\nmax_in_parking = "77.5s"\nretries = 2\nretry_after = "5s"\npatience = "unlimited"',
        '[lot]\nslots = 3\nmax_in_parking = { kind = "uniform", low = "20s", high = "31s" }\nlimits = "pbx"',
        '[[lot]]\nname = "general"\nslots = 3\norganization = "a -- b while parkpos = 9"',
        '[[lot]]\nname = "a--b"\nslots = 3\nweight = 0\n[[lot]]\nname = "default"\nslots = 3\nchoice = "next"',
        '[lot]\nslots = 2\n[recall]\nto = "group"\nring = "7.25s"',
        '[lot]\nslots = 2\n[recall]\nto = "elsewhere"\nring = "7s"',
        '[lot]\nslots = 2\nlimits = "pbx"\nmax_in_parking = "unlimited"\n[recall]\nto = "elsewhere"',
        '[lot]\nslots = 2\n[recall]\nring = "unlimited"\nbusy = "drop"\nunanswered = "drop"',
    ],
)
def test_nothing_of_an_odd_lot_is_lost(lot, system, tmp_path):
    """Values that no PBX can have: slot 0, half seconds, laws, names of something else."""
    scenario = parksim.Scenario.loads(f"{REST}parking = {{ probability = 1 }}\n{lot}")
    assert back(scenario, system, tmp_path) == scenario


def test_three_lots_with_templates_an_include_and_comments():
    """A template is no lot, its settings come first, and what has no counterpart is named."""
    found = read_configuration(HERE / "res_parking.conf")
    default, sales, ward = found.tables["lot"]
    assert default == {
        "name": "default",
        "slots": 20,
        "first": 701,
        "choice": "lowest",
        "max_in_parking": "45s",
    }
    assert (sales["slots"], sales["first"], sales["choice"], sales["max_in_parking"]) == (5, 801, "next", "90s")
    assert (ward["name"], ward["max_in_parking"], ward["limits"]) == ("ward", "unlimited", "pbx")
    assert (found.tables["recall"]["to"], found.tables["recall"]["ring"]) == ("parker", "30s")
    left_out = [str(one).split(":")[0:2] for one in found.left_out]
    assert ["res_parking.conf, line 10", " parkext = 700"] in left_out
    assert ["res_parking.conf, line 13", " parkedmusicclass = default"] in left_out
    assert ["res_parking.conf, line 17", " [sales] recall.ring = 20s"] in left_out
    assert ["res_parking.conf, line 1", " [ward] recall.to = group"] in left_out
    assert not [one for one in found.left_out if "parkingtime" in str(one)]


def test_the_lots_of_old_versions_stand_in_features_conf():
    """Before Asterisk 12 [general] is a lot, and parkinglot_NAME are the others."""
    found = read_configuration(HERE / "features.conf")
    assert "1.8" in found.system
    assert [(lot.name, lot.values["slots"], lot.values["first"]) for lot in found.lots] == [
        ("default", 5, 701),
        ("night", 2, 711),
    ]
    assert found.tables["lot"][0]["max_in_parking"] == "60s"
    named = " ".join(map(str, found.left_out))
    assert "line 8: transferdigittimeout = 3: another feature than parking" in named
    assert "line 11: [featuremap]: no lot; 1 line of it passed over" in named


def test_the_valet_lots_of_a_dial_plan():
    """A range is said by auto in, or by the expression of the numbers that are dialled."""
    found = read_configuration(HERE / "valet.xml")
    office, ward = found.tables["lot"]
    assert (office["name"], office["slots"], office["first"], office["max_in_parking"]) == ("office", 9, 5901, "120s")
    assert (ward["name"], ward["slots"], ward["first"], ward["max_in_parking"]) == ("ward", 10, 600, "unlimited")
    assert found.tables["recall"] == {"to": "parker"}
    assert "valet_hold_music" in str(found.left_out[0])


def test_an_orbit_without_a_time_out_has_that_of_freeswitch(tmp_path):
    """An orbit brings 60 s."""
    text = (HERE / "valet.xml").read_text(encoding="utf-8")
    text = "".join(line for line in text.splitlines(True) if "valet_parking_timeout" not in line)
    found = read_configuration(written(tmp_path, text, "dialplan.xml"))
    assert found.tables["lot"][0]["max_in_parking"] == "60s"


def test_a_return_to_a_mailbox_is_said_in_the_words_of_the_pbx(tmp_path):
    """comebackcontext, or the orbit, of that name; another name is taken as that of the attendants, as it was."""
    lot = '[lot]\nslots = 3\n[recall]\nto = "elsewhere"'
    scenario = parksim.Scenario.loads(f"{REST}parking = {{ probability = 1 }}\n{lot}")
    for system, line in (("asterisk", "comebackcontext = elsewhere"), ("freeswitch", "orbit_exten=elsewhere")):
        text = export(scenario, system)
        assert line in text
        assert "parksim: recall.to" not in text
        for name, to in (("voicemail-100", "elsewhere"), ("vm", "elsewhere"), ("desk", "group"), ("elm", "group")):
            other = text.replace(line, line.replace("elsewhere", name))
            found = read_configuration(written(tmp_path, other, f"lots.{ENDINGS[system]}"))
            assert found.tables["recall"]["to"] == to, (system, name)


def test_a_remark_counts_only_while_its_line_is_unchanged(tmp_path):
    """A time-out that was changed in the PBX replaces the one that was rounded."""
    scenario = parksim.Scenario.loads(
        f'{REST}parking = {{ probability = 1 }}\n[lot]\nslots = 3\nmax_in_parking = "77.5s"'
    )
    text = export(scenario, "asterisk")
    assert "parkingtime = 78" in text
    found = read_configuration(written(tmp_path, text.replace("parkingtime = 78  ", "parkingtime = 60  ", 1)))
    assert found.tables["lot"]["max_in_parking"] == "60s"
    assert "it went with parkingtime = 78, which is 60 now" in " ".join(map(str, found.left_out))


def test_each_line_of_an_export_has_an_origin():
    """The file and line, the option, or that the scenario does not say it."""
    scenario = parksim.Scenario.load(SCENARIOS[0].parent / "hospital.toml").with_values(
        {"lot.slots": 8}, option="--set"
    )
    text = export(scenario, "asterisk")
    settings = [line for line in text.splitlines() if " = " in line and not line.startswith(";")]
    assert len(settings) == 7
    assert all(re.search(r"; (lot|recall|not in the scenario)\b", line) for line in settings)
    assert "lot.slots = 8 (--set)" in text
    assert 'lot.max_in_parking = "180s" (hospital.toml, line 40)' in text
    actions = [line for line in export(scenario, "freeswitch").splitlines() if "timeout" in line or "auto in" in line]
    assert len(actions) == 2
    assert all("(hospital.toml, line" in line for line in actions)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("[default]\nparkpos = 720-701\n", "line 2: parkpos = 720-701: a range of slots is two numbers"),
        ("[default]\nparkpos = 1-99999\n", "line 2: parkpos = 1-99999: a lot of a scenario has at most 10,000 slots"),
        ("[default]\nparkingtime = 45s\n", "line 2: parkingtime = 45s: Asterisk takes whole seconds"),
        ("[default]\nfindslot = nxt\n", "line 2: findslot = nxt: Asterisk takes first or next; did you mean next?"),
        ("[a](shrt)\n", "line 1: there is no template [shrt] above this line"),
        ("[short](!)\n[a](shrt)\n", "did you mean (short)?"),
        ('[default]\n#include "more.conf"\n', "line 2: #include more.conf: there is no such file; copy more.conf to"),
        ('[default]\n#include "res_parking.conf"\n', "more than 100 files are included"),
        ("parkpos = 1-2\n", "stands before the first section"),
        ("[default]\nparkpos\n", "line 2: 'parkpos' is no setting of Asterisk"),
        ("[general]\nbindport = 5060\n[301]\ntype = friend\n", "no parking lot is in it (sections: general, 301)"),
        ("[default\n", "is no section"),
        ("[default]\n; parksim: first = nonsense\n", "the remark parksim: first has no value of TOML"),
        ("[default]\n; parksim: slots = -3\n", "no scenario can have these lots: lot.slots = -3"),
        ("<include>\n<a>", "line 2: this is not whole XML (no element found)"),
        ("<!DOCTYPE x>\n<include/>", "a dial plan has no DOCTYPE"),
        ("<include/>", "no lot of valet_park with its slots is in it"),
        ('<x><action application="valet_park" data="a auto in 9 5"/></x>', "line 1: valet_park a auto in 9 5: a range"),
        ('<x><action application="valet_park" data="a auto in ${b} 5"/></x>', "replace the variables"),
    ],
)
def test_one_message_for_each_wrong_thing(text, said, tmp_path):
    """File, line, what is wrong, and what to do."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as error:
        read_configuration(path)
    assert said in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_bytes_of_any_kind_are_answered(tmp_path):
    """2,000 mutations of the samples, seed 14: a lot or one message, never another error."""
    draw = random.Random(14)
    samples = [path.read_bytes() for path in sorted(HERE.iterdir())]
    path = tmp_path / "mutated.conf"
    refused = 0
    for _ in range(2_000):
        content = bytearray(draw.choice(samples))
        for _ in range(draw.randrange(1, 6)):
            at = draw.randrange(len(content))
            content[at : at + draw.randrange(3)] = bytes(draw.choice(b'[]()!<>;-="#\\\n\0\xe9 019a') for _ in range(2))
        path.write_bytes(content)
        try:
            read_configuration(path)
        except ConfigurationError:
            refused += 1
    assert 0 < refused < 2_000


def test_numbers_between_match_no_others():
    """1,000 ranges, seed 5: each end and its neighbours."""
    draw = random.Random(5)
    for _ in range(1_000):
        first = draw.choice([draw.randrange(100), draw.randrange(10_000)])
        last = first + draw.choice([draw.randrange(30), draw.randrange(9_999)])
        pattern = re.compile(f"^({'|'.join(numbers_between(first, last))})$")
        for number in {first, last, (first + last) // 2, max(first - 1, 0), last + 1, draw.randrange(20_000)}:
            assert bool(pattern.search(str(number))) == (first <= number <= last)


def test_the_commands(tmp_path):
    """``export`` writes what ``import`` reads; wrong words exit with 2."""

    def parksim_says(*words):
        done = subprocess.run([sys.executable, "-m", "parksim", *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = parksim_says("export", "hospital", "--for", "asterisk", "-o", str(tmp_path / "res_parking.conf"))
    assert (code, "written" in said) == (0, True)
    code, said = parksim_says("import", str(tmp_path / "res_parking.conf"))
    assert code == 0
    assert "slots = 4" in said
    assert "# Without a counterpart in a scenario:" in said
    assert parksim_says("export", "hospital", "--for", "asterix")[0] == 2
    assert "did you mean asterisk?" in parksim_says("export", "hospital", "--for", "asterix")[1]
    code, said = parksim_says("import", str(tmp_path / "none.conf"))
    assert (code, "there is no such file" in said) == (2, True)
