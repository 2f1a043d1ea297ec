"""An Asterisk loads what ``export`` writes; skipped where none is installed (Debian: apt-get install asterisk)."""

import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import parksim
from parksim.pbx.configuration.exported import export
from parksim.pbx.configuration.imported import read_configuration

ASTERISK = shutil.which("asterisk")
HERE = Path(__file__).parent / "configurations"
SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
MODULES = ("pbx_config", "bridge_holding", "bridge_simple", "res_parking", "app_dial")

pytestmark = pytest.mark.skipif(ASTERISK is None, reason="no Asterisk is installed")


@contextmanager
def running(folder, files):
    """Yield a function that asks an Asterisk which has only these files and the modules of parking."""
    folders = {name: folder / name for name in ("astetcdir", "astvarlibdir", "astspooldir", "astrundir", "astlogdir")}
    for path in folders.values():
        path.mkdir()
    (folder / "asterisk.conf").write_text(
        "[directories]\n" + "".join(f"{name} = {path}\n" for name, path in folders.items())
    )
    (folders["astetcdir"] / "extensions.conf").write_text("[general]\n[default]\nexten => 1,1,NoOp()\n")
    (folders["astetcdir"] / "modules.conf").write_text(
        "[modules]\nautoload = no\n" + "".join(f"load = {name}.so\n" for name in MODULES)
    )
    for name, text in files.items():
        (folders["astetcdir"] / name).write_text(text)
    base = [ASTERISK, "-C", str(folder / "asterisk.conf")]

    def ask(command):
        done = subprocess.run([*base, "-rx", command], capture_output=True, text=True, check=False, timeout=20)
        return done.stdout

    with subprocess.Popen([*base, "-f", "-n"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while "Parking Lot" not in (shown := ask("parking show")) and time.monotonic() < deadline:
                time.sleep(0.2)
            assert "Parking Lot" in shown
            yield ask
        finally:
            ask("core stop now")
            process.terminate()


def lots_shown(text):
    """Return (first slot, last slot, seconds, back to the parker, seconds of ringing) by lot."""
    shown = {}
    for part in text.split("Parking Lot: ")[1:]:
        name = part.split("\n")[0].strip()
        says = {
            key.strip(): value.strip() for key, _, value in re.findall(r"^([\w ]+?)(\s*:)(.*)$", part, re.MULTILINE)
        }
        first, last = says["Parking Spaces"].split("-")
        times = int(says["Parking Time"].split()[0]), int(says["Comeback Dial Time"].split()[0])
        shown[name] = int(first), int(last), times[0], says["Comeback to Origin"] == "yes", times[1]
    return shown


def lots_read(found):
    """Return the same of what ``import`` reads, [recall] apart for each lot."""
    read = {}
    for lot in found.lots:
        first = lot.values["first"]
        limit = lot.values["max_in_parking"]
        limit_s = 0 if limit == "unlimited" else int(limit[:-1])
        ring_s = int(lot.recall["ring"][:-1])
        read[lot.name] = first, first + lot.values["slots"] - 1, limit_s, lot.recall["to"] == "parker", ring_s
    return read


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_it_has_the_lots_of_a_shipped_scenario(path, tmp_path):
    """Slots, time-out, and how calls return, as Asterisk itself shows them."""
    scenario = parksim.Scenario.load(path)
    with running(tmp_path, {"res_parking.conf": export(scenario, "asterisk")}) as ask:
        shown = lots_shown(ask("parking show"))
    for name, lot in zip(scenario.lot_names, scenario.lots, strict=True):
        limit_s = round(lot.max_in_parking.mean_s)
        to_parker = scenario.recall.to == "parker"
        asked = (lot.first, lot.first + lot.slots - 1, limit_s, to_parker, round(scenario.recall.ring))
        assert shown["default" if name == "lot" else name] == asked


def test_import_reads_what_asterisk_reads(tmp_path):
    """Templates, an include and comments: the same lots."""
    files = {path.name: path.read_text(encoding="utf-8") for path in HERE.glob("*.conf") if path.stem != "features"}
    with running(tmp_path, files) as ask:
        shown = lots_shown(ask("parking show"))
    assert lots_read(read_configuration(HERE / "res_parking.conf")) == shown
