"""Tokens: what a file of them may say, what is said when it is wrong, and that none is ever shown."""

import traceback

import pytest

from parksim.server.tokens import Token, TokenError, Tokens, readable_by_others

USERS = ("12", "33")
SECRET = "s3cr3t-t0ken-0f-12"
GOOD = f"""# who may park

{SECRET} 12 user
another.token_~+/==\t33   organization # the front desk
t0ken-0f-all 33 global
plain-token-1 12
"""


def test_a_file_of_tokens(tmp_path):
    """Each token speaks for its user with its scope, user where none is given; comments and blanks are ignored."""
    path = tmp_path / "tokens"
    path.write_text("\ufeff" + GOOD, encoding="utf-8")
    tokens = Tokens.load(path, USERS)
    found = {text: tokens.find(b"Bearer " + text.encode()) for text in (SECRET, "another.token_~+/==", "t0ken-0f-all",
                                                                        "plain-token-1", "who-may-park")}  # fmt: skip
    assert list(found.values()) == [
        Token("12", "user"), Token("33", "organization"), Token("33", "global"), Token("12", "user"), None
    ]  # fmt: skip


def test_tokens_in_the_environment():
    """The same lines between semicolons."""
    tokens = Tokens.read(f"{SECRET} 12 user; t0ken-0f-all 33 global;", "PARKSIM_TOKENS", USERS, separator=";")
    assert tokens.find(b"Bearer t0ken-0f-all") == Token("33", "global")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("", "holds no token; write TOKEN USER SCOPE"),
     (SECRET, "line 1, has one word; write TOKEN USER SCOPE"),
     (f"{SECRET} 12 user more", "line 1, has 4 words; write TOKEN USER SCOPE"),
     (f"{SECRET} 99 user", "line 1, user: is no user of the scenario's [uapi]; they are 12, 33"),
     (f"12 {SECRET} user", "line 1, token: has 2 characters; 10 to 256 make a token"),
     (f"{'x' * 300} 12 user", "line 1, token: has 300 characters; 10 to 256 make a token"),
     (f"{SECRET}ä 12 user", "line 1, token: has other characters than letters, digits and ._~+/-"),
     (f"{SECRET}=x 12 user", "line 1, token: has other characters"),
     (f"{SECRET} 12 organisation", 'line 1, scope: did you mean "organization"?'),
     (f"{SECRET} 12 USER", 'line 1, scope: did you mean "user"?'),
     (f"{SECRET} 12 {SECRET}", "line 1, scope: must be one of user, organization, global"),
     (f"{SECRET} 12 user\n\n{SECRET} 33 user", "line 3, token: is given twice, first in line 1"),
     ("\n".join(f"token-number-{number} 12" for number in range(1_001)), "holds 1,001 tokens; at most 1,000")],
)  # fmt: skip
def test_a_file_that_is_wrong(tmp_path, line, complaint):
    """One message with file, line, word and rule, which never shows a word of the line: it may be the token."""
    path = tmp_path / "tokens"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(TokenError) as caught:
        Tokens.load(path, USERS)
    [message] = caught.value.messages
    assert message.startswith(str(path))
    assert complaint in message
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_everything_wrong_is_said_at_once(tmp_path):
    """Up to ten lines are complained of, further ones counted."""
    path = tmp_path / "tokens"
    path.write_text("x 12\n" * 14, encoding="utf-8")
    with pytest.raises(TokenError) as caught:
        Tokens.load(path, USERS)
    assert len(caught.value.messages) == 11
    assert str(caught.value).endswith("... and 4 more")


def test_a_file_that_cannot_be_read(tmp_path):
    """Missing, a folder, a binary, a huge one: one message each."""
    binary, huge = tmp_path / "binary", tmp_path / "huge"
    binary.write_bytes(b"# x\n\xff\xfe")
    huge.write_bytes(b"#" * 1_048_577)
    for path, complaint in (
        (tmp_path / "missing", "missing: cannot be read (No such file or directory)"),
        (tmp_path, ": cannot be read (Is a directory)"),
        (binary, "binary, line 2: is not UTF-8 text"),
        (huge, "huge: is larger than 1 MiB"),
    ):
        with pytest.raises(TokenError) as caught:
            Tokens.load(path, USERS)
        assert complaint in str(caught.value)


def test_a_token_is_made():
    """Each time another, long enough not to be guessed, of the first user and for that user alone."""
    (tokens, text), (_, other) = Tokens.made(USERS), Tokens.made(USERS)
    assert text != other
    assert len(text) >= 32
    assert tokens.find(f"Bearer {text}".encode()) == Token("12", "user")
    assert tokens.find(f"Bearer {other}".encode()) is None
    with pytest.raises(TokenError, match="has no users"):
        Tokens.made(())


def test_nothing_shows_a_token():
    """Neither repr nor str nor any attribute has the text of a token."""
    tokens = Tokens.read(f"{SECRET} 12 user", "tokens", USERS)
    assert repr(tokens) == str(tokens) == "Tokens(1 of them)"
    assert SECRET not in repr(vars(tokens))


def test_who_opens_the_board():
    """The board's own key and tokens that reach beyond one user; a user's token would show it other users' calls."""
    tokens = Tokens.read(GOOD, "tokens", USERS)
    cookies = [tokens.board_cookie(key) for key in (tokens.board_key, "t0ken-0f-all", "another.token_~+/==")]
    assert all(cookies)
    for key in (SECRET, "", "x", tokens.board_key[:-1], *cookies, "\ud800", "ü"):
        assert tokens.board_cookie(key) is None
    assert tokens.find(f"Bearer {tokens.board_key}".encode()) is None


def test_whose_the_board_is():
    """A cookie speaks for the token that it was got by; that of the board's own key reaches everybody."""
    tokens = Tokens.read(f"{SECRET} 33\nt0ken-0f-all 33 global\nt0ken-0f-some 12 organization", "tokens", USERS)
    viewers = {key: tokens.viewer(tokens.board_cookie(key)) for key in ("t0ken-0f-all", "t0ken-0f-some")}
    assert viewers == {"t0ken-0f-all": Token("33", "global"), "t0ken-0f-some": Token("12", "organization")}
    assert tokens.viewer(tokens.board_cookie(tokens.board_key)).scope == "global"
    for cookie in ("", "x", SECRET, "t0ken-0f-all", tokens.board_key, "\ud800"):
        assert tokens.viewer(cookie) is None
    made = Tokens.made(USERS)[0]
    assert made.viewer(made.board_cookie(made.board_key)) == Token("12", "global")


def test_the_board_s_cookie_lasts_as_long_as_the_tokens():
    """The same tokens in any order have the same cookie, each time another key; other tokens another cookie."""
    lines = GOOD.splitlines()
    tokens, again = (Tokens.read("\n".join(order), "tokens", USERS) for order in (lines, lines[::-1]))
    assert _own_cookie(tokens) == _own_cookie(again)
    assert tokens.board_key != again.board_key
    assert len(_own_cookie(tokens)) == 64
    others = [Tokens.read(GOOD.replace(old, new), "tokens", USERS) for old, new in (("0f-all", "0f-none"),)]
    others += [Tokens.read(f"{SECRET} 12 {scope}", "tokens", USERS) for scope in ("user", "global")]
    others += [Tokens.made(USERS)[0] for _ in range(2)]
    assert len({_own_cookie(one) for one in (tokens, *others)}) == 6
    assert SECRET not in _own_cookie(tokens)


def _own_cookie(tokens):
    return tokens.board_cookie(tokens.board_key)


def test_every_token_is_compared(monkeypatch):
    """All digests are compared, by the constant-time comparison, whether the token is the first, the last or none."""
    compared = []
    compare = __import__("hmac").compare_digest

    def counted(one, other):
        compared.append((len(one), len(other)))
        return compare(one, other)

    tokens = Tokens.read(GOOD, "tokens", USERS)
    monkeypatch.setattr("parksim.server.tokens.hmac.compare_digest", counted)
    for text in (SECRET, "plain-token-1", "nobodys-token", "x"):
        compared.clear()
        tokens.find(f"Bearer {text}".encode())
        assert compared == [(32, 32)] * 4


@pytest.mark.parametrize(("mode", "open_to_others"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read(tmp_path, mode, open_to_others):
    """Group and world count as others."""
    path = tmp_path / "tokens"
    path.touch()
    path.chmod(mode)
    assert readable_by_others(path) is open_to_others
