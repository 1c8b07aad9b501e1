"""The one token that guards everything, as a bearer header or as the cookie of a browser that logged in."""

import hashlib
import hmac

COOKIE = "videogen_session"


def session_cookie(token: str) -> str:
    """The cookie's value: derived from the token, so that any service can check it and none stores it."""
    return hmac.new(token.encode(), b"videogen session 1", hashlib.sha256).hexdigest()


def session_cookies(header: str) -> list[str]:
    """Every value of ours in a Cookie header. A strict parser would stop at another service's odd cookie."""
    pairs = (pair.partition("=") for pair in header.split(";"))
    return [value.strip().strip('"') for name, _, value in pairs if name.strip() == COOKIE]


def is_authorized(token: str | None, *, authorization: str | None, cookie: str | None) -> bool:
    """Whether a request may pass. Without a token set, every request may."""
    if token is None:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    return cookie is not None and hmac.compare_digest(cookie.encode(), session_cookie(token).encode())
