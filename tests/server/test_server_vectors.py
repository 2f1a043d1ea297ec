"""UAPI's test vectors over real HTTP on loopback, at the real desk: the page's requests and what each must get.

Each test begins with a desk of its own, whose calls stand in a register file as ``--register`` reads it, and asks
twice over: with paths as they are written here, and with a trailing slash, ``%2A`` and ``%40``.
"""

import json

import httpx
import pytest
from desk_stand import NOW_US, WatchedDesk
from server_stand import BEARER, CALL, S, running

from parksim.rules import codes

LEFT_OUT = object()
PARK = {"action": "Park", "maxInParking": "30", "phoneCallViewId": "01"}
CLIENT = httpx.Client(trust_env=False, verify=False)  # nothing here is encrypted
LINK = f"/uapi/phoneCalls/12/0003*210/{CALL}"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A server for the whole file."""
    with running(WatchedDesk(tmp_path_factory.mktemp("house") / "calls.json")) as site, CLIENT:
        yield site


def as_it_is(path):
    """Return a path as it is."""
    return path


def encoded(path):
    """Return a path with a trailing slash, and with what may be encoded encoded."""
    path, mark, query = path.partition("?")
    return f"{path.rstrip('/')}/".replace("*", "%2A").replace("@", "%40") + mark + query


@pytest.fixture(params=[as_it_is, encoded])
def begin(request, house, tmp_path):
    """Let the server begin anew with the calls of a register file; positions 1 and 2 are taken if nothing is said."""
    house.spelt = request.param

    def begin_with(taken=2, **more):
        house.begin_with(WatchedDesk(tmp_path / "calls.json", taken, **more))
        return house

    return begin_with


@pytest.fixture
def site(begin):
    """The server with the vectors' starting state: CALL on call at 0003*210, positions 1 and 2 taken."""
    return begin()


def park(site, path=f"/12/0003*210/{CALL}", *, fields=(), **changes):
    """PUT the page's example, changed, by a client library; ``fields`` are further header fields."""
    body = {name: value for name, value in {**PARK, **changes}.items() if value is not LEFT_OUT}
    return send(site, "PUT", f"/uapi/phoneCalls{path}", json.dumps(body).encode(), fields)


def send(site, method, path, body=b"", fields=()):
    """Send a request by a client library that takes the path as it is."""
    url = httpx.URL(site.url).copy_with(raw_path=getattr(site, "spelt", as_it_is)(path).encode())
    return CLIENT.request(method, url, content=body, headers={**BEARER, **dict(fields)})


def refused(answer):
    """Return (status, code) of a refusal in UAPI's envelope, which says nothing else."""
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()
    assert list(error) == ["error"]
    assert list(error["error"]) == ["code", "message"]
    return answer.status_code, error["error"]["code"]


def test_the_page_s_example(site):
    """Park with 30 s answers 200 with the collection: position 3, parked by 0003*210, on call, a link to itself."""
    answer = park(site)
    assert answer.status_code == 200
    collection = answer.json()
    entry = collection.pop("entry")
    assert collection == {
        "startIndex": 0, "totalResults": 1, "itemsPerPage": 20, "filtered": False, "sorted": False, "paging": {}
    }  # fmt: skip
    view = entry[0]["phoneCallView"][0]
    assert (view["parkedPos"], view["parkedBy"], view["status"]) == ("3", "0003*210", "5")
    assert entry[0]["link"] == {"self": f"http://127.0.0.1:8080{LINK}"}
    assert [(fact.kind, fact.deadline_us) for fact in site.desk.facts] == [(codes.PARKED, NOW_US + 30 * S)]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "path",
    [f"/12/0003*210/{CALL}", f"/12/0003%2A210/{CALL}", f"/12/0003%2a210/{CALL}", f"/@me/@self/{CALL}",
     f"/%40me/%40self/{CALL}", f"/@viewer/0003*210/{CALL}", f"/@owner/@self/{CALL}", f"/12/210/{CALL}"],
)  # fmt: skip
def test_every_spelling_of_the_path_parks_the_same(begin, path, slash):
    """With and without a trailing slash, encoded or not, by reserved words: one park, byte for byte one answer."""
    example = park(begin()).content
    answer = park(begin(), path + slash, maxInParking=30)
    assert (answer.status_code, answer.content) == (200, example)
    assert not answer.history


def test_respond_async(site):
    """With Prefer: respond-async 202 with id, extension and link; List then shows the park."""
    answer = park(site, fields={"Prefer": "respond-async"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert answer.json() == [
        {"id": CALL, "extension": "0003*210", "link": {"self": f"http://127.0.0.1:8080{LINK}"}}
    ]  # fmt: skip
    listed = send(site, "GET", LINK).json()
    assert listed["entry"][0]["phoneCallView"][0]["parkedPos"] == "3"


def test_a_server_that_answers_accepted(tmp_path):
    """A server started so answers 202 to a PUT that prefers nothing."""
    with running(WatchedDesk(tmp_path / "calls.json", 2), answer="accepted") as site:
        answer = park(site)
        assert (answer.status_code, [call["id"] for call in answer.json()]) == (202, [CALL])


@pytest.mark.parametrize(
    ("value", "stay_s"),
    [(10, 10), (3600, 3600), ("10", 10), ("3600", 3600), ("030", 30), (30.0, 30), (12.5, 12.5), (LEFT_OUT, 180)],
)
def test_a_stay_that_is_accepted(site, value, stay_s):
    """Numbers and texts from 10 to 3600, both included; left out it is 180 s."""
    assert park(site, maxInParking=value).status_code == 200
    assert [fact.deadline_us - fact.time_us for fact in site.desk.facts] == [int(stay_s * S)]


@pytest.mark.parametrize(
    "value", [9, 3601, 0, -30, None, "9", "", " 30", "30s", "3e1", "+30", True, [30], "٣٠", "1e999", {}]
)
def test_a_stay_that_is_refused(site, value):
    """Whatever else is there as maxInParking."""
    assert refused(park(site, maxInParking=value)) == (400, "pc_parktimeout_invalid")
    assert site.desk.facts == []


@pytest.mark.parametrize("number", ["1e999", "NaN", "1" * 5_000])
def test_a_number_that_is_none(site, number):
    """Numbers beyond floats, with thousands of digits, or none at all; nothing of them is echoed in full."""
    body = f'{{"action":"Park","phoneCallViewId":"01","maxInParking":{number}}}'.encode()
    answer = send(site, "PUT", LINK, body)
    assert refused(answer) == (400, "pc_parktimeout_invalid")
    assert len(answer.content) < 300


@pytest.mark.parametrize("view", [LEFT_OUT, "", 1, "02"])
def test_a_view_that_is_none(site, view):
    """A view that is missing, no text, or none of the call."""
    assert refused(park(site, phoneCallViewId=view)) == (400, "pc_phonecallview_invalid")


@pytest.mark.parametrize(
    ("path", "code"),
    [(f"/12/0003*210/{'zzz'}", "pc_phonecall_invalid"), (f"/12/0003*211/{CALL}", "pc_phonecall_invalid"),
     (f"/12/0003*999/{CALL}", "extension_invalid"), (f"/12/abc/{CALL}", "extension_invalid"),
     (f"/999/0003*210/{CALL}", "user_invalid"), (f"/@you/0003*210/{CALL}", "user_invalid")],
)  # fmt: skip
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_path_that_names_nothing(site, path, slash, code):
    """An id, an extension or a user that there is not."""
    assert refused(park(site, path + slash)) == (400, code)


@pytest.mark.parametrize("action", ["park", "Fly", LEFT_OUT])
def test_an_action_that_is_none(site, action):
    """Actions are spelt exactly."""
    assert refused(park(site, action=action)) == (501, "request_not_implemented")


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"null", b"{} {}", b"\xff", b"\xef\xbb\xbf{}", b"[" * 60_000])
def test_a_body_that_is_no_object(site, body):
    """Broken JSON, or no object."""
    assert refused(send(site, "PUT", LINK, body)) == (400, "request_invalid")


@pytest.mark.parametrize(
    "value", [None, "Bearer wrong-token-0123", "Basic dGVzdDp0ZXN0", "Bearer", "testtoken0123456789"]
)
def test_no_token_or_a_wrong_one(site, value):
    """401 with the way to authenticate."""
    fields = {} if value is None else {"Authorization": value}
    answer = CLIENT.put(site.url + site.spelt(LINK), json=PARK, headers=fields)
    assert refused(answer) == (401, "access_denied")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_first_request_again(site):
    """The same answer, the same position, the same deadline, no new fact."""
    first = park(site)
    site.wait_for(site.desk.let_pass(5))
    again = park(site, maxInParking=3600)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(site.desk.facts) == 1


def test_nothing_to_park(site):
    """204 with an empty body where an extension has no call."""
    answer = park(site, "/12/0003*211")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers


def test_the_hundred_and_first(begin):
    """A lot of a hundred is full: 409, and nothing but the refusal has happened."""
    site = begin(taken=100)
    before = site.desk.register
    assert refused(park(site)) == (409, "pc_parkinglot_full")
    assert site.desk.register == before
    assert [fact.kind for fact in site.desk.facts] == [codes.REFUSED]


def test_the_time_is_up(site):
    """A microsecond before parked + 30 s the call is parked; then position 3 is free and the call rings 0003*210."""
    park(site)
    site.wait_for(site.desk.let_pass(30 - 1e-6))
    assert send(site, "GET", LINK).json()["entry"][0]["phoneCallView"][0]["parkedPos"] == "3"
    site.wait_for(site.desk.let_pass(1e-6))
    view = send(site, "GET", LINK).json()["entry"][0]["phoneCallView"][0]
    assert (view["status"], view["parkedBy"]) == ("4", "0003*210")
    assert "parkedPos" not in view
    assert [fact.kind for fact in site.desk.facts] == [codes.PARKED, codes.EXPIRED, codes.RECALL_RINGING]
    assert site.desk.switchboard.exchange.lots[0].occupants[2] == codes.NOBODY


def test_a_life_over_http(site):
    """Create, list, park, un-park, hold and hang up, as the vendor's published client spells it."""
    created = send(
        site, "POST", "/uapi/phoneCalls/@me/simple/",
        b'{"extension":"0003*210","phoneCallView":[{"source":["0003*210"],"destination":["555"]}],"nonce":"n1"}',
    )  # fmt: skip
    assert created.status_code == 200
    call = created.json()[0]["id"]
    query = f"?count=5&filterBy=id&filterOp=equals&filterValue={call}&fields=id%2Cextension&startIndex=0"
    listed = send(site, "GET", f"/uapi/phoneCalls/@me/0003*210/{query}&sortOrder=descending")
    assert listed.json()["entry"] == [{"id": call, "extension": "0003*210"}]
    put = f"/uapi/phoneCalls/12/0003*210/{CALL}/"
    unpark = (
        b'{"action":"UnPark","phoneCallViewId":"01","sendCallTo":"0003*024","callerId":"John Doe <42420042>",'
        b'"waitForPickup":"25"}'
    )
    for body in (
        b'{"action":"OnHold","phoneCallViewId":"01"}',
        b'{"action":"OffHold","phoneCallViewId":"01"}',
        b'{"action":"Park","phoneCallViewId":"01","maxInParking":180}',
        unpark,
    ):
        assert send(site, "PUT", put, body).status_code == 200, body
    gone = send(site, "DELETE", f"/uapi/phoneCalls/@me/0003*210/{CALL}/?phoneNumber=3235742879")
    assert (gone.status_code, [known["id"] for known in gone.json()]) == (200, [CALL])
    assert send(site, "GET", LINK).json()["totalResults"] == 0


def test_paging_links_lead_on(begin):
    """Links to further pages can be followed as they are, and bear the configured address, not the Host."""
    site = begin(taken=0, calls=5)
    seen = []
    path = "/uapi/phoneCalls/12/0003*210?count=2"
    while path:
        page = send(site, "GET", path, fields={"Host": f"localhost:{site.port}"}).json()
        seen += [entry["id"] for entry in page["entry"]]
        path = page["paging"].get("next", "").removeprefix("http://127.0.0.1:8080")
    assert len(seen) == len(set(seen)) == 5
