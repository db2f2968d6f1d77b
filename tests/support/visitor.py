"""A browser without a browser: what a page's form sends, over Django's test client."""

from __future__ import annotations

import html
import re
from typing import Any

import altcha
from django.test import Client

PANEL = "/webchat/{}/panel/"
SESSIONS = "/api/webchat/{}/sessions/"
MESSAGES = "/api/webchat/{}/messages/"
CURRENT = "/api/webchat/{}/sessions/current/"


class VisitorClient:
    """Fetches the panel as the widget does, then submits with its CSRF token and idempotency key."""

    def __init__(self, slug: str = "support", client: Client | None = None) -> None:
        self.client = client or Client(enforce_csrf_checks=True)
        self.slug = slug
        self.open_panel()

    def open_panel(self) -> str:
        html = self.client.get(PANEL.format(self.slug)).content.decode()
        self.csrf = (
            _first(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
            or self.client.get("/accounts/login/").cookies["csrftoken"].value
        )
        self.key = _first(r'name="idempotency_key" value="([^"]+)"', html)
        return html

    def start(self, answers: dict[str, Any], *, key: str | None = None, as_json: bool = True, **headers: str) -> Any:
        return self._submit(SESSIONS, answers, key, as_json, headers)

    def leave(self, answers: dict[str, Any], *, key: str | None = None, as_json: bool = True, **headers: str) -> Any:
        """Leaves a message."""
        return self._submit(MESSAGES, answers, key, as_json, headers)

    def _submit(self, path: str, answers: dict[str, Any], key: str | None, as_json: bool, headers: Any) -> Any:
        body = {"data": answers, "content_type": "application/json"} if as_json else {"data": answers}
        return self.client.post(
            path.format(self.slug),
            headers={"X-CSRFToken": self.csrf, "Idempotency-Key": self.key if key is None else key, **headers},
            **body,
        )

    def current(self) -> Any:
        return self.client.get(CURRENT.format(self.slug))

    def renew(self, session_id: str) -> Any:
        return self._post(f"/api/webchat/sessions/{session_id}/token/")

    def end(self, session_id: str, **body: str) -> Any:
        return self._post(f"/api/webchat/sessions/{session_id}/end/", body)

    def _post(self, path: str, body: dict[str, str] | None = None) -> Any:
        return self.client.post(path, body, headers={"X-CSRFToken": self.csrf})


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def solution_in(panel: str, **changes: object) -> str:
    """What a browser makes of the puzzle of a form."""
    puzzle = html.unescape(re.search(r'data-webchat-puzzle="([^"]+)"', panel)[1])
    challenge = altcha.Challenge.from_dict(altcha.v2.json.loads(puzzle))
    solution = altcha.solve_challenge(challenge)
    assert solution
    for name, value in changes.items():
        setattr(solution, name, value)
    return altcha.Payload(challenge, solution).to_base64()
