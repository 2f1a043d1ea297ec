"""What the board may do: let simulated time run or stand still, and give UAPI's own commands to one call.

``POST /board/commands`` takes one JSON object: ``{"command": "pause"}``, ``{"command": "run", "rate": 60}``, or
``{"command": "retrieve", "call": ID}``, ``"hang_up"`` and ``"park"`` likewise. A call is retrieved to the telephone of
its parker and parked by who has it. Commands to a call are requests to UAPI, in the viewer's name and as far as the
viewer's token reaches, and stand in the session file as such; time is moved by a viewer of scope ``global`` only.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from parksim.rules.uapi import Refusal, Reply, Request, refusal_reply
from parksim.server.tokens import Token

if TYPE_CHECKING:
    from parksim.server.desk import Desk

METHODS: Final = ("GET", "POST")
SLOWEST, FASTEST = 1.0, 600.0
"""The rates that the board gives."""


class _Command(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class _Pause(_Command):
    command: Literal["pause"]


class _Run(_Command):
    command: Literal["run"]
    rate: Annotated[float, Field(ge=SLOWEST, le=FASTEST, allow_inf_nan=False)]


class _ToCall(_Command):
    command: Literal["retrieve", "hang_up", "park"]
    call: Annotated[str, Field(min_length=1, max_length=64)]


_COMMAND: Final[TypeAdapter[_Pause | _Run | _ToCall]] = TypeAdapter(
    Annotated[_Pause | _Run | _ToCall, Field(discriminator="command")]
)
_FORMS: Final = (
    'Send {"command": "pause"}, {"command": "run", "rate": 60} with a rate from 1 to 600, or '
    '{"command": "retrieve", "call": ID}, "hang_up" or "park" likewise.'
)


def answer(desk: "Desk", viewer: Token, method: str, body: bytes) -> Reply:
    """Answer a request of the board; with GET what its viewer may command."""
    if method == "GET":
        return _object({"time": viewer.scope == "global", "calls": True})
    try:
        command = _COMMAND.validate_json(body)
    except ValidationError:
        return refusal_reply(Refusal.BODY_INVALID, _FORMS)
    if isinstance(command, _ToCall):
        return desk.respond(_request(desk, viewer, command))
    if viewer.scope != "global":
        return refusal_reply(Refusal.ACCESS_DENIED, "Only a token of scope global moves the time.")
    return desk.turn(command.rate, paused=False) if isinstance(command, _Run) else desk.turn(desk.rate, paused=True)


def _object(content: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(content).encode(), (("Content-Type", "application/json"),))


def _request(desk: "Desk", viewer: Token, command: _ToCall) -> Request:
    """Return UAPI's request for a command; of a call that is not there it is refused as UAPI refuses it."""
    register = desk.register
    call = register.calls.with_id(command.call)
    target = f"/uapi/phoneCalls/@owner/@self/{quote(command.call, safe=':')}"
    asked: dict[str, str] = {"action": "Park"}
    if command.command == "hang_up":
        return Request("DELETE", target, user=viewer.user, scope=viewer.scope)
    if call is not None:
        asked["phoneCallViewId"] = call.views[-1 if call.stay is None else call.stay.view].id
    if command.command == "retrieve":
        asked["action"] = "UnPark"
        if call is not None and call.stay is not None:
            asked["sendCallTo"] = register.extensions[call.stay.parker].number
    return Request("PUT", target, json.dumps(asked).encode(), user=viewer.user, scope=viewer.scope)
