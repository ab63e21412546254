"""Signing in and out: a form without a script, and the cookie that a browser then sends."""

import hashlib
import hmac
import re
import secrets
from html import escape
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console.access.user_access import NotSignedIn, SignedIn, UserAccess
from console.web.assets import sign_in_page
from console.web.replies import NOT_KEPT, address_of, body_of, changing_visit_of, cookie_name, json_reply, token_of, visit_of
from dotbus.runtime.logs import get_logger

PATH: Final = "/sign-in"
_WRONG: Final = "Name and password are not those of a user here."
_STALE: Final = "This form was not of this console, or too old. Try again."
_OUR_PAGES: Final = re.compile(r"/(plants/(?!\.{1,2}$)[\w.~%!$&'()*+,;=:@-]+)?", re.ASCII)
"""As an address is written: of a plant's name nothing is left in it that has a meaning there."""
_FORM_COOKIE: Final = "-form"


class SignIn:
    """The form, and what is done with it.

    Args:
        access: knows the users.
    """

    def __init__(self, access: UserAccess) -> None:
        self._access = access
        self._secret = secrets.token_bytes(32)
        self._log = get_logger("access")

    async def form(self, request: Request) -> Response:
        """The form."""
        return self._form(request, request.query_params.get("next", "/"), "", 200)

    async def take(self, request: Request) -> Response:
        """What was filled in. Only a form that this browser was given is taken."""
        filled = {name: values[0] for name, values in parse_qs((await body_of(request)).decode(errors="replace")).items()}
        onward = filled.get("next", "/")
        nonce = request.cookies.get(cookie_name(request.url) + _FORM_COOKIE, "")
        if not nonce or not hmac.compare_digest(self._token(nonce).encode(), filled.get("token", "").encode()):
            return self._form(request, onward, _STALE, 403)
        name, address = filled.get("name", "").strip(), address_of(request)
        outcome = await self._access.sign_in(name, filled.get("password", ""), address)
        if isinstance(outcome, NotSignedIn):
            return self._refused(request, onward, name, outcome)
        return self._let_in(request, onward, outcome)

    async def leave(self, request: Request) -> Response:
        """End the session."""
        visit = changing_visit_of(request)
        if token := token_of(request):
            self._access.sign_out(token)
        self._log.info("signed out", user=visit.person.name, address=address_of(request))
        response = Response(status_code=204, headers=NOT_KEPT)
        _set(response, request, cookie_name(request.url), "", ends=True)
        return response

    def _let_in(self, request: Request, onward: str, outcome: SignedIn) -> Response:
        if before := token_of(request):
            self._access.sign_out(before)
        person = outcome.person
        self._log.info("signed in", user=person.name, role=person.role, plant=person.plant, address=address_of(request))
        response = RedirectResponse(_ours(onward), 303, NOT_KEPT)
        _set(response, request, cookie_name(request.url), outcome.token)
        return response

    def _refused(self, request: Request, onward: str, name: str, outcome: NotSignedIn) -> Response:
        """In the log stands no name that is no user's: people type their password there, too."""
        who = name if outcome.is_user else "nobody that is known"
        self._log.warning("not signed in", user=who, address=address_of(request), wait_s=round(outcome.wait_s))
        if not outcome.wait_s:
            return self._form(request, onward, _WRONG, 401)
        wait_s = int(outcome.wait_s) + 1
        response = self._form(request, onward, f"Too many tries failed. Wait for {wait_s} s, then try again.", 429)
        response.headers["Retry-After"] = str(wait_s)
        return response

    def _form(self, request: Request, onward: str, said: str, status: int) -> Response:
        nonce = secrets.token_urlsafe(16)
        words = {"said": said, "next": _ours(onward), "token": self._token(nonce)}
        text = re.sub(r"\{\{(\w+)\}\}", lambda found: escape(words[found[1]]), sign_in_page())
        response = HTMLResponse(text, status, NOT_KEPT)
        _set(response, request, cookie_name(request.url) + _FORM_COOKIE, nonce)
        return response

    def _token(self, nonce: str) -> str:
        return hmac.new(self._secret, nonce.encode(), hashlib.sha256).hexdigest()


async def session(request: Request) -> Response:
    """Who is signed in, and what their page must say to change something."""
    visit = visit_of(request)
    person = visit.person
    return json_reply(
        {
            "name": person.name,
            "role": person.role,
            "plant": person.plant,
            "may_operate": person.may_operate,
            "csrf": visit.csrf,
            "signs_out": visit.session is not None,
        }
    )


def to_sign_in(request: Request) -> Response:
    """To the form, and back here from there."""
    plant = request.path_params.get("plant")
    here = "/" if plant is None else f"/plants/{quote(plant, safe='')}"
    return RedirectResponse(f"{PATH}?next={quote(here)}", 303, NOT_KEPT)


def _ours(path: str) -> str:
    """A page of ours: nobody is led elsewhere by a link to the form."""
    return path if _OUR_PAGES.fullmatch(path) else "/"


def _set(response: Response, request: Request, name: str, value: str, *, ends: bool = False) -> None:
    """It ends with the browser, and here when the session is over."""
    is_secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=0 if ends else None, path="/", secure=is_secure, httponly=True, samesite="strict")
