"""The one token: who passes with it, and who does not."""

import pytest

from shared.token import COOKIE, is_authorized, session_cookie, session_cookies

TOKEN = "correct horse"
RIGHT = session_cookie(TOKEN)


def passes(authorization: str | None = None, cookie: str | None = None, token: str | None = TOKEN) -> bool:
    return is_authorized(token, authorization=authorization, cookie=cookie)


def test_everybody_passes_where_no_token_is_set() -> None:
    assert passes(token=None)
    assert passes("Bearer wrong", "wrong", token=None)


def test_nobody_passes_without_it() -> None:
    assert not passes()


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "])
def test_the_bearer_of_the_token_passes(header: str) -> None:
    assert passes(header)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {RIGHT}"]
    + [f"Bearer {TOKEN.upper()}", "Bearer \xff\x00", f"Token {TOKEN}", f"Bearer,{TOKEN}"],
)
def test_no_other_header_passes(header: str) -> None:
    assert not passes(header)


def test_a_browser_passes_with_its_cookie() -> None:
    assert passes(cookie=RIGHT)
    assert passes("Bearer wrong", RIGHT)


@pytest.mark.parametrize("cookie", ["", TOKEN, RIGHT[:-1], RIGHT + "0", RIGHT.upper(), "\xff", session_cookie("other")])
def test_no_other_cookie_passes(cookie: str) -> None:
    assert not passes(cookie=cookie)


def test_the_cookie_does_not_tell_the_token() -> None:
    assert TOKEN not in RIGHT
    assert RIGHT == session_cookie(TOKEN) != session_cookie(TOKEN + " ")


@pytest.mark.parametrize(
    "header",
    [
        f"{COOKIE}={RIGHT}",
        f"a=b; {COOKIE}={RIGHT}; c=d",
        f'other={{"json": [1, 2]}}; {COOKIE}={RIGHT}',
        f"odd; =; ; @:=1;{COOKIE}={RIGHT}",
        f'{COOKIE}="{RIGHT}"',
    ],
)
def test_the_cookie_is_found_among_those_of_other_services_on_the_same_host(header: str) -> None:
    assert session_cookies(header) == [RIGHT]


def test_an_old_cookie_beside_the_right_one_does_not_hide_it() -> None:
    assert RIGHT in session_cookies(f"{COOKIE}=old; {COOKIE}={RIGHT}")


@pytest.mark.parametrize("header", ["", ";", f"x{COOKIE}={RIGHT}", f"{COOKIE}x={RIGHT}", COOKIE])
def test_a_cookie_of_another_name_is_not_ours(header: str) -> None:
    assert RIGHT not in session_cookies(header)
