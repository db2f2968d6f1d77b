"""A browser without a browser, over the network: what the widget does against a running site."""

from __future__ import annotations

import re
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter

ANSWERS = {"name": "José Müller", "email": "jose@example.com", "question": "Where is my parcel?"}
AGAIN = {409, 429, 500, 502, 503, 504}


class SiteVisitor:
    """Opens the panel of one of the demo's webchats; `start()` submits its form, under the same key each time."""

    def __init__(
        self, site: str, slug: str = "support", certificate: str = "", adapter: HTTPAdapter | None = None
    ) -> None:
        self.site, self.slug = site, slug
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = certificate or True
        if adapter:
            self.http.mount("https://", adapter)
        panel = self.http.get(f"{site}/webchat/{slug}/panel/", timeout=60)
        panel.raise_for_status()
        self.csrf = _value("csrfmiddlewaretoken", panel.text)
        self.key = _value("idempotency_key", panel.text)

    def start(self, timeout: float = 60, answers: dict[str, str] = ANSWERS) -> requests.Response:
        return self._post(f"/api/webchat/{self.slug}/sessions/", timeout, json=answers)

    def leave_message(self, answers: dict[str, str] = ANSWERS) -> requests.Response:
        return self._post(f"/api/webchat/{self.slug}/messages/", json=answers)

    def start_patiently(self, seconds: float = 60, pause: float = 0.1) -> requests.Response:
        """Repeats the same submit for as long as the answer is lost or says that it may be repeated."""
        deadline = time.monotonic() + seconds
        while True:
            answer = None
            try:
                answer = self.start()
                if answer.status_code not in AGAIN:
                    return answer
            except requests.RequestException:  # no answer, or half of one
                self.http.close()
            if time.monotonic() > deadline:
                raise TimeoutError(f"no chat within {seconds} s: {answer and answer.text}")
            time.sleep(pause)

    def renew(self, session_id: str) -> requests.Response:
        return self._post(f"/api/webchat/sessions/{session_id}/token/")

    def end(self, session_id: str) -> requests.Response:
        return self._post(f"/api/webchat/sessions/{session_id}/end/")

    def _post(self, path: str, timeout: float = 60, **body: Any) -> requests.Response:
        headers = {"X-CSRFToken": self.csrf, "Idempotency-Key": self.key, "Origin": self.site}
        return self.http.post(self.site + path, headers=headers, timeout=timeout, **body)


def _value(name: str, html: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert found, f"the panel has no {name}"
    return found[1]
