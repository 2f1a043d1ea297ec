"""The directory of a switchboard: users, extensions and organizations of a scenario, as the rules of UAPI know them."""

from parksim.errors import ArgumentError
from parksim.rules import lot
from parksim.rules.uapi import register as r
from parksim.scenario.lots import NamedLot
from parksim.scenario.model import Scenario


def directory(scenario: Scenario, base_url: str | None = None) -> r.Register:
    """Return the register that the scenario's ``[uapi]`` tells of, its lots those of the scenario.

    An only lot is that of ``[uapi] organization``. Of several each is its own organization's, as UAPI knows one lot an
    organization: a client parks in the lot of the extension that parks. Without users there is one, "12", who has all
    attendants and a finite staff, in the organization of ``[uapi]``.

    Raises:
        ArgumentError: numbers that are of no organization, several lots of one organization, or none of ``[uapi]``'s.
    """
    told, settings = scenario.uapi, scenario.settings
    users = dict(told.users)
    if not users:
        people = max(settings.attendants, 1) + max(settings.staff, 0)
        users = {"12": tuple(f"{told.organization}*{201 + place}" for place in range(min(people, 700)))}
    register = r.new_register(
        users,
        organizations=_organizations(scenario),
        base_url=base_url or told.base_url,
        epoch=told.epoch,
    )
    lots = tuple(map(lot.empty_lot, settings.slots, settings.choices, range(len(scenario.lots))))
    return register._replace(lots=lots, firsts=tuple(one.first for one in scenario.lots))


def _organizations(scenario: Scenario) -> list[r.Organization]:
    """Return each lot's organization; of several the one of ``[uapi]`` is named there, the others after their lots."""
    home = scenario.uapi.organization
    named = r.Organization(home, scenario.uapi.owner_id, scenario.uapi.owner_name)
    if len(scenario.lots) == 1:
        return [named]
    owners: dict[str, str] = {}
    for one in scenario.lots:
        assert isinstance(one, NamedLot)
        owner = one.organization or one.name
        if owner in owners:
            raise ArgumentError(
                f"the lots {owners[owner]} and {one.name} are both of organization {owner}; "
                "UAPI knows one lot an organization: give each an organization of its own"
            )
        owners[owner] = one.name
    if home not in owners:
        raise ArgumentError(
            f"[uapi] organization {home} has none of the lots; there are lots of {', '.join(owners)}: "
            "set organization in [uapi], or that of a lot"
        )
    return [named if number == home else r.Organization(number, number, name) for number, name in owners.items()]
