"""`/login` with OpenID Connect: to the provider, and back with a user and the groups that matter."""

import hmac
import json
import secrets
from typing import Any

from flower.utils.authentication import authenticate
from flower.views.auth import is_safe_redirect
from tornado.ioloop import IOLoop
from tornado.web import HTTPError

from longshore.dashboard.http_hardening import LOGIN_COOKIE, OIDC_LOGIN_DAYS, AuthenticatedHandler
from longshore.dashboard.oidc_provider import LoginRefused, OidcProvider
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

STATE_COOKIE = "oauth_state"


class OidcLoginHandler(AuthenticatedHandler):
    """Sends the browser to the provider, and takes it back."""

    async def get(self) -> None:
        """The first request of a login, and the last."""
        try:
            if self.get_query_argument("code", "") or self.get_query_argument("error", ""):
                await self._finish_login()
            else:
                await self._start_login()
        except LoginRefused as error:
            log.event(events.DASHBOARD_LOGIN_REFUSED, problem=str(error))
            raise HTTPError(403, "%s", str(error)) from None

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Not the refusals that were logged above: tornado would add the address, with the code in it."""
        if not (isinstance(value, HTTPError) and value.status_code == 403):
            super().log_exception(typ, value, tb)

    async def _start_login(self) -> None:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        login = {"state": state, "nonce": nonce, "verifier": verifier, "next": self.get_query_argument("next", "")}
        scopes = self._settings.flower_oidc_scopes
        url = await self._ask(self._provider.authorization_url, scopes, state, nonce, verifier)
        self.set_secure_cookie(STATE_COOKIE, json.dumps(login), expires_days=None, secure=self._is_https)
        self.redirect(url)

    async def _finish_login(self) -> None:
        cookie = self.get_secure_cookie(STATE_COOKIE, max_age_days=1)
        self.clear_cookie(STATE_COOKIE)
        login = json.loads(cookie or b"{}")
        state = self.get_query_argument("state", "")
        if not (login and hmac.compare_digest(login["state"].encode(), state.encode())):
            raise LoginRefused("this answer belongs to no login of this browser: log in again")
        if error := self.get_query_argument("error", ""):
            raise LoginRefused(f"the login provider said: {error[:100]}")
        code = self.get_query_argument("code")
        claims = await self._ask(self._provider.read_claims, code, login["nonce"], login["verifier"])
        name, groups = self._read_user(claims)
        self.set_secure_cookie(
            LOGIN_COOKIE, "\n".join((name, *groups)), expires_days=OIDC_LOGIN_DAYS, secure=self._is_https
        )
        self.redirect(login["next"] if is_safe_redirect(login["next"]) else self.reverse_url("main"))

    def _read_user(self, claims: dict[str, Any]) -> tuple[str, list[str]]:
        """E-mail address and known groups of a user who may enter."""
        name, claim = claims.get("email"), claims.get(self._settings.flower_oidc_groups_claim)
        if not isinstance(name, str) or claims.get("email_verified") is not True:
            raise LoginRefused("the login provider tells no verified e-mail address (email, email_verified)")
        if not name.isprintable() or not authenticate(self.application.options.auth, name):
            raise LoginRefused(f"{name[:200]} is not among the addresses of FLOWER_AUTH")
        names = [one for one in (claim if isinstance(claim, list) else [claim]) if isinstance(one, str)]
        groups = self.application.access_roles.known_groups(names)
        user = self.application.access_roles.find_user(name, groups)
        if user is None:
            raise LoginRefused(f"{name} is neither in FLOWER_OPERATORS nor in FLOWER_VIEWERS, nor is a group of theirs")
        log.event(events.DASHBOARD_LOGIN_ACCEPTED, actor=name, role=user.role.value, groups=groups)
        return name, groups

    @property
    def _provider(self) -> OidcProvider:
        provider: OidcProvider = self.application.oidc_provider
        return provider

    @property
    def _settings(self) -> Any:
        return self.application.context.settings

    @property
    def _is_https(self) -> bool:
        return str(self.settings["oauth"]["redirect_uri"]).startswith("https:")

    async def _ask(self, function: Any, *arguments: Any) -> Any:
        """Not among the threads that read for pages: a provider that is slow must not hold these up."""
        return await IOLoop.current().run_in_executor(None, function, *arguments)
