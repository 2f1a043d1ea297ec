"""Access: bearer tokens, each with the user it speaks for and how far it reaches.

A token file has one token a line, three words, in this order: the token, its user, its scope (``user``,
``organization`` or ``global``; left out: ``user``). ``#`` begins a comment. The environment variable
``PARKSIM_TOKENS`` holds the same lines, between ``;``. Lines rather than JSON, so that every complaint has its line.

Tokens are kept as SHA-256 digests and compared in constant time; no message, ``repr`` or log shows one. Beside them
there is one key for the board alone, made anew for each start of the server, since it is printed. The cookie for which
it is exchanged lasts as long as the tokens do where they are the operator's: a board that hangs on a wall comes back by
itself when the server is started again.

>>> tokens = Tokens.read("testtoken0123456789 12 global  # the tester's", "tokens", users=["12", "33"])
>>> tokens.find(b"Bearer testtoken0123456789"), tokens.find(b"Bearer testtoken0123456780")
(Token(user='12', scope='global'), None)
"""

import hmac
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from hashlib import scrypt, sha256
from pathlib import Path
from typing import Final, NamedTuple, Self, get_args

from parksim.errors import TokenError
from parksim.rules.uapi.service import Scope
from parksim.scenario.messages import nearest

ENVIRONMENT: Final = "PARKSIM_TOKENS"
LARGEST_FILE: Final = 1024 * 1024
MOST_TOKENS: Final = 1_000
"""Each request is compared with all of them."""
LENGTHS: Final = (10, 256)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+) *")
_FORM: Final = "write TOKEN USER SCOPE, such as 12 and user behind the token, a line for each"


class Token(NamedTuple):
    """What a token says of its bearer: the user, and whether it reaches that user only, the organization or all."""

    user: str
    scope: Scope


class Tokens:
    """The tokens that are valid, and the board's key; its cookies follow from ``cookie``, by default a random text."""

    def __init__(self, known: Mapping[str, Token], cookie: str = "") -> None:
        self._known = tuple((_digest(text.encode()), token) for text, token in known.items())
        self.board_key = secrets.token_urlsafe(24)
        self._operator = Token(min((token.user for token in known.values()), default=""), "global")
        secret = (cookie or secrets.token_urlsafe(32)).encode()
        viewers = {self._operator, *(token for token in known.values() if token.scope != "user")}
        self._cookies = {
            one: hmac.digest(secret, f"{one.scope} {one.user}".encode(), "sha256").hex() for one in viewers
        }

    def __repr__(self) -> str:
        return f"Tokens({len(self._known)} of them)"

    def find(self, authorization: bytes) -> Token | None:
        """Return whose the field ``Authorization`` is, or None for everything but the bearer of a valid token."""
        match = _BEARER.fullmatch(authorization)
        return None if match is None else self._find(match[1])

    def board_cookie(self, key: str) -> str | None:
        """Return what a browser shows once a key has opened the board; it opens nothing else.

        The board's own key is the operator's and reaches everybody; a token that reaches beyond one user reaches as far
        as it does elsewhere; every other key opens nothing.
        """
        token = self._find(key.encode(errors="replace"))
        if hmac.compare_digest(_digest(key.encode(errors="replace")), _digest(self.board_key.encode())):
            token = self._operator
        return None if token is None else self._cookies.get(token)

    def viewer(self, cookie: str) -> Token | None:
        """Return in whose name the browser looks at the board that shows this cookie; None: nobody let it in."""
        given = _digest(cookie.encode(errors="replace"))
        found = None
        for token, known in self._cookies.items():  # all of them, as for tokens
            if hmac.compare_digest(given, _digest(known.encode())):
                found = token
        return found

    def _find(self, text: bytes) -> Token | None:
        given = _digest(text)
        found = None
        for digest, token in self._known:  # all of them, whether found or not: the time tells nothing
            if hmac.compare_digest(given, digest):
                found = token
        return found

    @classmethod
    def load(cls, path: Path, users: Sequence[str]) -> Self:
        """Read a token file.

        Raises:
            TokenError: it cannot be read, or lines are wrong.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise TokenError([f"{path}: cannot be read ({reason}); name a file of tokens"]) from None
        if len(raw) > LARGEST_FILE:
            raise TokenError([f"{path}: is larger than 1 MiB; a token file has one token a line"])
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise TokenError([f"{path}, line {line}: is not UTF-8 text; {_FORM}"]) from None
        return cls.read(text, str(path), users)

    @classmethod
    def read(cls, text: str, name: str, users: Sequence[str], *, separator: str = "\n") -> Self:
        """Read tokens from a text; ``name`` is what complaints call it.

        Raises:
            TokenError: it holds no token, or lines are wrong.
        """
        known: dict[str, Token] = {}
        lines: dict[str, int] = {}
        wrong = []
        for number, line in enumerate(text.split(separator), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            fault = _fault(words, users)
            if not fault and words[0] in lines:
                fault = f"token: is given twice, first in line {lines[words[0]]}; a token has one user"
            if fault:
                wrong.append(f"{name}, line {number}, {fault}")
                continue
            lines[words[0]] = number
            known[words[0]] = Token(words[1], next((scope for scope in SCOPES if [scope] == words[2:]), SCOPES[0]))
        if wrong:
            raise TokenError(wrong[:10] + ([f"... and {len(wrong) - 10} more"] if len(wrong) > 10 else []))
        if not known:
            raise TokenError([f"{name}: holds no token; {_FORM}"])
        if len(known) > MOST_TOKENS:
            raise TokenError([f"{name}: holds {len(known):,} tokens; at most {MOST_TOKENS:,}"])
        told = "\n".join(sorted(f"{text} {token.user} {token.scope}" for text, token in known.items()))
        # A cookie that follows from the tokens, slowly, so that nobody who has it can try out short tokens.
        return cls(known, scrypt(told.encode(), salt=b"parksim board", n=2**14, r=8, p=1, dklen=32).hex())

    @classmethod
    def made(cls, users: Sequence[str]) -> tuple[Self, str]:
        """Make one random token, of the first user, and return the tokens and its text.

        Raises:
            TokenError: there is no user whom it could be of.
        """
        if not users:
            raise TokenError(['[uapi] has no users; write for instance users = { "12" = ["0003*210"] }'])
        text = secrets.token_urlsafe(24)
        return cls({text: Token(users[0], "user")}), text


def _digest(text: bytes) -> bytes:
    """Return what is compared: of equal length for any input."""
    return sha256(text).digest()


def _fault(words: Sequence[str], users: Sequence[str]) -> str:
    """Say what is wrong with the words of a line, none of which may be shown: any of them may be the token."""
    least, most = LENGTHS
    if len(words) not in {2, 3}:
        return f"has {'one word' if len(words) == 1 else f'{len(words)} words'}; {_FORM}"
    if not least <= len(words[0]) <= most:
        return f"token: has {len(words[0])} characters; {least} to {most} make a token"
    if _TOKEN.fullmatch(words[0]) is None:
        return "token: has other characters than letters, digits and ._~+/-; only those can be sent as a bearer token"
    if words[1] not in users:
        some = ", ".join(users[:5]) + (", ..." if len(users) > 5 else "")
        return f"user: is no user of the scenario's [uapi]; {f'they are {some}' if users else 'it has none'}"
    if len(words) == 3 and words[2] not in SCOPES:
        near = nearest(words[2], SCOPES)
        return "scope: " + (f'did you mean "{near}"?' if near else f"must be one of {', '.join(SCOPES)}")
    return ""


def readable_by_others(path: Path) -> bool:
    """Tell whether the file's mode lets others than its owner read it."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
