"""A staging site: over TLS behind nginx, with the sandbox on its machine."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.support import proxies
from tests.support.missing import skip_without
from tests.support.sandbox import SandboxServer
from tests.support.site import SiteServer
from tests.support.widget import Widget


def test_a_chat_with_the_sandbox_on_a_site_over_tls(browser: Browser, sandbox: SandboxServer, tmp_path: Path) -> None:
    if not proxies.is_there("nginx"):
        skip_without("nginx (apt-get install nginx-light)")
    environment: dict[str, str | None] = {
        "PUBLIC_BASE_URL": "https://localhost",
        "DJANGO_ALLOWED_HOSTS": "localhost",
        "TRUSTED_PROXY_COUNT": "1",
        "WEBCHAT_STAGING": "on",
    }
    (tmp_path / "nginx").mkdir()
    with (
        SiteServer(tmp_path, sandbox, environment=environment) as site,
        proxies.running("nginx", tmp_path / "nginx", [f"127.0.0.1:{site.port}"]) as port,
        browser.new_context(ignore_https_errors=True) as context,
    ):
        site.url = f"https://localhost:{port}"
        widget = Widget(context.new_page(), site).start(question="Is this staging?")
        expect(widget.page.get_by_text("chats go to the agent desk")).to_be_visible()
        assert widget.at_twilio() == ["Is this staging?"]
