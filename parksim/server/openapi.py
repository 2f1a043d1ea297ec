"""The service's description (OpenAPI 3.1): every path, method, status and code that can come, and no other.

Schemas of bodies come from the models of ``rules/uapi/models``, codes and statuses from its ladder of refusals, so
that the description cannot fall behind them. Paths are shown without a slash at their end; with one they are the
same. What can befall any request on its way (its host, its size, its slowness) is in every operation's answers.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from parksim.rules.uapi import models as m
from parksim.rules.uapi.models import Refusal

Json = dict[str, Any]

ANY_REQUEST: Final = (
    Refusal.REQUEST_MALFORMED,
    Refusal.ORIGIN_REFUSED,
    Refusal.REQUEST_TIMEOUT,
    Refusal.BODY_TOO_LARGE,
    Refusal.URI_TOO_LONG,
    Refusal.HOST_REFUSED,
    Refusal.HEADERS_TOO_LARGE,
    Refusal.INTERNAL_ERROR,
    Refusal.SERVICE_UNAVAILABLE,
)
"""The answers that any request may get."""

_LOOKED_UP: Final = (Refusal.ACCESS_DENIED, Refusal.USER_INVALID, Refusal.EXTENSION_INVALID)
_ACTED: Final = (
    Refusal.BODY_INVALID,
    Refusal.ACTION_NOT_IMPLEMENTED,
    Refusal.PARKTIMEOUT_INVALID,
    Refusal.SEND_CALL_TO_INVALID,
    Refusal.WAIT_FOR_PICKUP_INVALID,
    Refusal.VIEW_INVALID,
    Refusal.LOT_FULL,
)
_ONE_CALL: Final = (Refusal.PHONECALL_INVALID, Refusal.VIEW_STATE)

_TEXT: Final[Json] = {"type": "string"}
_EVENTS: Final = ("phoneCallEvents", "phoneCallEvents {type}", "phoneCallEvents {type} {id}")
_EVENT_FIELDS: Final = ("type", "id", "url", "method", "status", "note", "modified")
_PREFER: Final = {"name": "Prefer", "in": "header", "schema": {**_TEXT, "examples": ["respond-async"]}}


class _WireSchema(GenerateJsonSchema):
    """Schemas of what is written: as the fields' serializers write them, nulls left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return the schema of what is written when it is there."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema without its default, which is for reading."""
        return self.generate_inner(schema["schema"])


def _written(model: type[BaseModel]) -> Json:
    """Return the schemas of a model and of all in it, by name, with references among the components."""
    schema = model.model_json_schema(
        mode="serialization", schema_generator=_WireSchema, ref_template="#/components/schemas/{model}"
    )
    schemas: Json = {**schema.pop("$defs", {}), model.__name__: schema}
    for known in schemas.values():
        known["additionalProperties"] = False
    return {name: _plain(known) for name, known in schemas.items()}


def _plain(schema: Any) -> Any:
    """Return a schema without the models' Python names, its patterns in the dialect of JSON Schema."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items() if name not in {"title", "description"}}
    if isinstance(pattern := plain.get("pattern"), str):
        plain["pattern"] = pattern.replace(r"\A", "^").replace(r"\z", "$")
    return plain


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _seconds(least: int, most: int, default: int) -> Json:
    """Return the schema of a duration in seconds, as a number or as a text of digits."""
    return {
        "oneOf": [
            {"type": "number", "minimum": least, "maximum": most},
            {"type": "string", "pattern": r"^[0-9]{1,4}(\.[0-9]{1,6})?$"},
        ],
        "default": default,
    }


def _object(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _schemas() -> Json:
    schemas = _written(m.PhoneCallCollection)
    collection = schemas["PhoneCallCollection"]
    collection["required"] = sorted(collection["properties"])
    part = {name: told for name, told in schemas["PhoneCall"].items() if name != "required"}
    entries = {"type": "array", "items": _ref("PhoneCallPart")}
    accepted = {name: schemas["PhoneCall"]["properties"][name] for name in ("id", "extension", "link")}
    numbers = {"oneOf": [{"type": "array", "items": _TEXT}, _TEXT]}
    party = {"source": numbers, "destination": numbers, "callerId": _TEXT}
    call = {
        "extension": _TEXT,
        "phoneCallView": {"type": "array", "items": _object(party, "destination"), "minItems": 1},
    }
    return {
        **schemas,
        "PhoneCallPart": {**part, "description": "A call with the fields asked for."},
        "PhoneCallList": {
            **collection,
            "properties": {**collection["properties"], "entry": entries},
            "description": "A page of calls, each with the fields asked for.",
        },
        "AcceptedCalls": {"type": "array", "items": _object(accepted, *accepted)},
        "PhoneCallAction": {
            "type": "object",
            "description": "What to do with a call; fields that the action does not read are ignored.",
            "properties": {
                "action": {"type": "string", "enum": list(m.PARAMETERS)},
                "phoneCallViewId": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9]+$",
                    "description": "Needed by all but Transfer.",
                },
                "maxInParking": {**_seconds(*m.MAX_IN_PARKING_S, 180), "description": "Seconds; for Park."},
                "sendCallTo": {
                    "type": "string",
                    "description": "The extension to ring (UnPark, PickUp), or that gets the call (Transfer).",
                },
                "waitForPickup": {
                    **_seconds(*m.WAIT_FOR_PICKUP_S, 25),
                    "description": "Seconds; for UnPark and PickUp.",
                },
            },
            "required": ["action"],
        },
        "SimpleCall": _object({**call, "nonce": _TEXT}, *call),
        "PhoneCallEvent": _object(dict.fromkeys(_EVENT_FIELDS, _TEXT) | {"links": _object({"self": _TEXT})}),
        "PhoneCallEventList": {
            **collection,
            "properties": {
                **collection["properties"],
                "entry": {"type": "array", "items": _ref("PhoneCallEvent")},
            },
        },
    }


def _error(refusals: Iterable[Refusal]) -> Json:
    """Return the answer to several refusals of one status: the envelope, with exactly their codes."""
    codes = sorted({refusal.code for refusal in refusals})
    properties = {"code": {**_TEXT, "enum": codes}, "message": _TEXT}
    detail = {**_object(properties, *properties), "additionalProperties": False}
    envelope = {**_object({"error": detail}, "error"), "additionalProperties": False}
    messages = sorted({refusal.message for refusal in refusals})
    return {"description": " ".join(messages), "content": {"application/json": {"schema": envelope}}}


def _good(description: str, name: str | None = None, media: str = "application/json", **more: Any) -> Json:
    schema = _TEXT if name is None else _ref(name)
    return {"description": description, "content": {media: {"schema": schema}}, **more}


def _header(name: str) -> Json:
    return {name: {"schema": _TEXT, "required": True}}


def _in_query(name: str) -> Json:
    return {"name": name, "in": "query", "schema": _TEXT}


def _operation(summary: str, good: Mapping[str, Json], refusals: Iterable[Refusal], **more: Any) -> Json:
    """Return an operation with its good answers and everything that may be refused of it."""
    by_status: dict[str, list[Refusal]] = {}
    for refusal in (*ANY_REQUEST, *refusals):
        by_status.setdefault(str(refusal.status), []).append(refusal)
    answers = {**good, **{status: _error(several) for status, several in by_status.items()}}
    if "401" in answers:
        answers["401"]["headers"] = _header("WWW-Authenticate")
    return {"summary": summary, "responses": dict(sorted(answers.items())), **more}


_OPTIONS: Final = _operation(
    "The methods of the resource, in Allow.", {"204": {"description": "See Allow.", "headers": _header("Allow")}}, ()
)


def _list() -> Json:
    operators = ["contains", "equals", "greaterThan", "inArray", "lessThan", "present", "startsWith"]
    query: dict[str, Json] = {
        "count": {"type": "integer", "minimum": 1, "maximum": m.COUNT_MAX, "default": m.COUNT_DEFAULT},
        "startIndex": {"type": "integer", "minimum": 0, "maximum": m.START_INDEX_MAX, "default": 0},
        "filterBy": {**_TEXT, "enum": ["id", "published"]},
        "filterOp": {**_TEXT, "enum": operators, "default": "contains"},
        "filterValue": _TEXT,
        "fields": {"type": "array", "items": {**_TEXT, "enum": list(m.CALL_FIELDS)}},
        "sortOrder": {**_TEXT, "enum": ["ascending", "descending"], "default": "ascending"},
    }
    parameters = [
        {"name": name, "in": "query", "schema": schema, **({"explode": False} if name == "fields" else {})}
        for name, schema in query.items()
    ]
    return _operation(
        "List calls, a page at a time; an unknown call is an empty list.",
        {"200": _good("A page of calls.", "PhoneCallList")},
        (*_LOOKED_UP, Refusal.QUERY_INVALID),
        parameters=parameters,
    )


def _asked(name: str) -> Json:
    """Return what an operation with this body asks for."""
    body = {"required": True, "content": {"application/json": {"schema": _ref(name)}}}
    return {"parameters": [_PREFER], "requestBody": body}


def _ended_or_made(description: str) -> Json:
    """Return the answers of what ends or creates calls."""
    return {
        "200": _good(description, "AcceptedCalls"),
        "202": _good("The same, where Prefer asks for respond-async.", "AcceptedCalls"),
    }


def _change(*, of_one: bool) -> Json:
    good = {
        "200": _good("The change is in effect.", "PhoneCallCollection"),
        "202": _good("Accepted, as Prefer: respond-async or the server's own choice asks for.", "AcceptedCalls"),
    }
    if not of_one:
        good["204"] = {"description": "There is no call to which the action applies."}
    return _operation(
        "Park, UnPark, OnHold, OffHold, PickUp or Transfer " + ("one call." if of_one else "all calls that can be."),
        good,
        (*_LOOKED_UP, *_ACTED, *(_ONE_CALL if of_one else ())),
        **_asked("PhoneCallAction"),
    )


def _hang_up(*, of_one: bool) -> Json:
    none = {"description": "There is no call to end, or the number is no party of it."}
    return _operation(
        "Hang up one call." if of_one else "Hang up all calls.",
        {**_ended_or_made("The calls that were ended."), "204": none},
        (*_LOOKED_UP, *(_ONE_CALL[:1] if of_one else ())),
        parameters=[_in_query("phoneNumber"), _PREFER],
    )


def _not_there(summary: str) -> Json:
    return _operation(summary, {}, (*_LOOKED_UP, Refusal.ACTION_NOT_IMPLEMENTED))


def _calls(*, of_one: bool) -> Json:
    return {"get": _list(), "put": _change(of_one=of_one), "delete": _hang_up(of_one=of_one)}


def _path(words: str, operations: Json, where: str = "phoneCalls") -> tuple[str, Json]:
    """Return a path and its operations, with a parameter for each word in braces and the token asked for."""
    path = "/".join(("", "uapi", where, *words.split()))
    names = [word[1:-1] for word in words.split() if word.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": _word(name)} for name in names]
    if "get" in operations:
        operations = {**operations, "head": _headed(operations["get"])}
    secured = {method: {**operation, "security": [{"bearer": []}]} for method, operation in operations.items()}
    secured["options"] = _OPTIONS
    return path, {"parameters": parameters, **secured} if parameters else secured


def _word(name: str) -> Json:
    known = {
        "userId": {"examples": ["@me", "@owner", "12"]},
        "extension": {"examples": ["0003*210", "210", "@self"]},
        "phoneCallId": {"examples": ["b817d2618fe6f1804333"]},
    }
    return {**_TEXT, "minLength": 1, **known.get(name, {})}


def _subscriptions() -> Json:
    """Describe phoneCallEvents: addresses to call when something happens at an extension."""
    refused = (*_LOOKED_UP, Refusal.EVENT_ID_INVALID, Refusal.EVENT_TYPE_INVALID)
    written = (*refused, Refusal.BODY_INVALID, Refusal.EVENT_METHOD_INVALID, Refusal.EVENT_URL_INVALID)
    one = {"200": _good("It is in effect.", "PhoneCallEvent")}
    asked = {"requestBody": {"required": True, "content": {"application/json": {"schema": _ref("PhoneCallEvent")}}}}
    gone = {"204": {"description": "They are gone."}}
    return {
        "get": _operation("List phone call events.", {"200": _good("All of them.", "PhoneCallEventList")}, refused),
        "post": _operation("Have an address called at an event.", one, (*written, Refusal.EVENTS_FULL), **asked),
        "put": _operation("Change a phone call event.", one, written, **asked),
        "delete": _operation("End phone call events.", gone, refused),
    }


def _uapi_paths() -> Json:
    short = dict.fromkeys(("get", "put", "delete"), _operation("Names no extension, so nothing.", {}, _LOOKED_UP))
    create = _operation(
        "Create a call from an extension of the user.",
        _ended_or_made("The call that was created."),
        (*_LOOKED_UP, Refusal.BODY_INVALID),
        **_asked("SimpleCall"),
    )
    stream = _operation(
        "What happens to the calls of an extension or user, as server-sent events: parked, retrieved, expired, ...",
        {"200": _good("Events with the time, the extension that acted and the call.", media="text/event-stream")},
        _LOOKED_UP,
        parameters=[{"name": "Last-Event-ID", "in": "header", "schema": _TEXT}],
    )
    kinds = {"simple": create, **dict.fromkeys(("callback", "conferenceInvite"), _not_there("Not implemented."))}
    return dict(
        [
            _path("", short),
            _path("{userId}", short),
            _path("{userId} {extension}", _calls(of_one=False)),
            _path("{userId} {extension} {phoneCallId}", _calls(of_one=True)),
            *(_path(f"{{userId}} {kind}", {"post": operation}) for kind, operation in kinds.items()),
            *(_path(f"{{userId}} {{extension}} {words}", _subscriptions(), "extensions") for words in _EVENTS),
            _path("{userId} {extension} phoneCallStream", {"get": stream}, "extensions"),
        ]
    )


def _board_paths(files: Mapping[str, str]) -> Json:
    moved = {"description": "The board's key was right: a cookie, and the page.", "headers": _header("Location")}
    stream = _good("The board's pictures as server-sent events.", media="text/event-stream")
    shown = {"200": _good("The page.", media=files["/"])} if "/" in files else {}
    page = _operation(
        "The board; with its key as token it is opened.",
        {**shown, "303": moved},
        (Refusal.ACCESS_DENIED, *(() if shown else (Refusal.NOT_FOUND,))),
        parameters=[_in_query("token")],
    )
    events = _operation("What the board shows, as it changes.", {"200": stream}, (Refusal.ACCESS_DENIED,))
    may, denied = "What the viewer of the board may command.", (Refusal.ACCESS_DENIED,)
    others = {
        name: _operation("A file of the board.", {"200": _good("The file.", media=media)}, ())
        for name, media in files.items()
        if name != "/"
    }
    own = _operation("This description.", {"200": _good("It.", "Description")}, ())
    pages = {"/": page, **others, "/openapi.json": own}
    return {
        **{
            name: {
                "get": operation,
                "head": _headed(operation, ("303", "401") if name == "/" else ()),  # a HEAD opens no board
                "options": _OPTIONS,
            }
            for name, operation in {**pages, "/board/events": events}.items()
        },
        "/board/commands": {
            "get": _operation(may, {"200": _good("It.", "Description")}, denied),
            "post": _commanded(),
            "options": _OPTIONS,
        },
    }


def _commanded() -> Json:
    """Describe the board's commands: to time, and to a call, which are answered as UAPI answers them."""
    forms = [
        _object({"command": {"const": "pause"}}, "command"),
        _object(
            {"command": {"const": "run"}, "rate": {"type": "number", "minimum": 1, "maximum": 600}}, "command", "rate"
        ),
        _object({"command": {"enum": ["retrieve", "hang_up", "park"]}, "call": _TEXT}, "command", "call"),
    ]
    body = {"required": True, "content": {"application/json": {"schema": {"oneOf": forms}}}}
    return _operation(
        "Let time run or stand still, or retrieve, hang up or park a call.",
        {
            "200": _good("The call was retrieved, parked or hung up.", "Description"),
            "202": _good("The same, where that is the service's answer to a change.", "Description"),
            "204": {"description": "Time runs, or stands still."},
        },
        (*_LOOKED_UP, *_ACTED, *_ONE_CALL),
        requestBody=body,
    )


def _headed(operation: Json, but: Iterable[str] = ()) -> Json:
    """Return what HEAD answers where GET answers so: the same without any body, ``but`` for some statuses."""
    answers = {
        status: {name: part for name, part in answer.items() if name != "content"}
        for status, answer in operation["responses"].items()
        if status not in but
    }
    return {**operation, "responses": answers}


def document(files: Mapping[str, str]) -> Json:
    """Return the description of a service that has these files of the board: their paths and media types."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "parksim: a live switchboard",
            "version": "1",
            "description": "VoipNow's UnifiedAPI (UAPI) around call parking. A slash at the end of a path makes no "
            "difference. A method that a path does not have answers 405 with Allow, a path that there is not 404, "
            "both in the envelope of all errors.",
        },
        "paths": {**_uapi_paths(), **_board_paths(files)},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {**_schemas(), "Description": {"type": "object"}},
        },
    }
