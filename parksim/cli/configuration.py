"""Commands about a PBX's configuration: ``import`` (its lots as a scenario's) and ``export`` (a scenario's as its)."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from parksim.cli import options as opt
from parksim.errors import UsageError


def import_command(
    file: Annotated[
        Path, Parameter(help="res_parking.conf or features.conf of Asterisk, or a dial plan of FreeSWITCH (XML).")
    ],
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Write the tables to this file (.toml), not to stdout.")
    ] = None,
) -> opt.Answer:
    """Turn the lots of a PBX's configuration into the [lot] and [recall] tables of a scenario."""
    from parksim.pbx.configuration.imported import read_configuration
    from parksim.results import write

    opt.check_out(out, (".toml",))
    opt.check_not_read("-o", out, file=file)
    found = read_configuration(file)
    if out is None:
        return opt.Answer(found.toml)
    write(out, found.toml)
    slots = " + ".join(str(lot.values["slots"]) for lot in found.lots)
    lines = [f"{out}: {slots} slots, from {file} ({found.system})"]
    lines += [f"without a counterpart: {one}" for one in found.left_out]
    lines += ["Next: put these tables into a scenario; parksim init writes one to begin with"]
    return opt.Answer("".join(f"{line}\n" for line in lines))


def export_command(
    scenario: opt.ScenarioFile,
    *,
    system: Annotated[str, Parameter(name="--for", help="One of: asterisk, freeswitch.")],
    values: opt.Set = (),
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Write to this file (.conf or .xml), not to stdout.")
    ] = None,
) -> opt.Answer:
    """Write the lots of a scenario as configuration of a PBX, each line with the origin of its value."""
    from parksim.pbx.configuration.exported import SYSTEMS, export
    from parksim.results import write
    from parksim.scenario.messages import nearest

    if system not in SYSTEMS:
        near = nearest(system, SYSTEMS)
        step = f"did you mean {near}?" if near else f"choose one of {', '.join(SYSTEMS)}"
        raise UsageError(f"--for {system}: parksim writes no configuration for it; {step}")
    opt.check_out(out, (".xml",) if system == "freeswitch" else (".conf",))
    loaded = opt.scenario_with(scenario, values)
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    text = export(loaded, system)
    if out is None:
        return opt.Answer(text)
    write(out, text)
    return opt.Answer(f"{out}: written. What {system} has no word for is in its remarks; parksim import reads them\n")
