"""Flex Webchat UI without a browser: what its axios sends, over Django's test client."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from tests.support.factories import ANSWERS
from tests.support.sandbox import basic_auth

ORIGIN = "http://testserver"
URL = "/webchat/{}/flex-ui/{}"


class FlexUi:
    def __init__(self, slug: str = "support", client: Client | None = None) -> None:
        self.client = client or Client(enforce_csrf_checks=True)
        self.slug = slug
        self.token = ""
        self.identity = ""

    def post(self, name: str, data: Any, content_type: str, **headers: str) -> Any:
        return self.client.post(
            URL.format(self.slug, name), data, content_type=content_type, headers={"Origin": ORIGIN, **headers}
        )

    def ask_token(self, **headers: str) -> Any:
        answer = self.post("token", json.dumps({"products": ["flex"]}), "application/json", **headers)
        if answer.status_code == 200:
            self.token, self.identity = answer.json()["token"], answer.json()["identity"]
        return answer

    def refresh(self, token: Any = None, **headers: str) -> Any:
        body = json.dumps({"token": self.token if token is None else token})
        answer = self.post("token/refresh", body, "application/json", **headers)
        if answer.status_code == 200:
            self.token = answer.json()["token"]
        return answer

    def open_channel(
        self, answers: dict[str, Any] | None = None, *, name: str | None = None, token: str | None = None, **form: Any
    ) -> Any:
        """As the UI does it: the typed name is in CustomerFriendlyName, and the context's overwrites it in the data."""
        answers = dict(ANSWERS if answers is None else answers)
        typed = answers.pop("name", "")
        data = {**answers, "friendlyName": "Anonymous", "location": f"{ORIGIN}/pricing/", "identity": None}
        fields = {
            "FlexFlowSid": "FO" + "f" * 32,
            "Identity": "somebody-else",
            "ChatFriendlyName": "Flex WebChat",
            "CustomerFriendlyName": name if name is not None else typed or "Anonymous",
            "PreEngagementData": json.dumps(data),
            **form,
        }
        return self.post(
            "web-channels",
            urlencode({key: value for key, value in fields.items() if value is not None}),
            "application/x-www-form-urlencoded",
            Authorization=basic_auth("token", self.token if token is None else token),
        )

    def start(self, **answers: Any) -> Any:
        self.ask_token()
        return self.open_channel({**ANSWERS, **answers})
