"""What keeps scripts out keeps no visitor out, and nobody has to do anything for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.site import SiteServer
from tests.support.widget import Widget


@pytest.fixture
def widget(widget: Widget, site: SiteServer) -> Iterator[Widget]:
    yield widget
    configure(site, require_form=False, proof_after=None)


def configure(site: SiteServer, **values: object) -> None:
    site.shell(f"Webchat.objects.filter(slug='support').update(**{values!r})")


def started(widget: Widget) -> list[str]:
    """Sends the form, waits for the chat, and returns what Twilio has of it."""
    with widget.page.expect_response(lambda one: one.url.endswith("/sessions/") and one.status == 201) as answer:
        widget.submit()
    widget.credentials = answer.value.json()
    widget.expect_connected()
    return widget.at_twilio()


def test_who_is_faster_than_a_person_waits_a_moment_while_the_browser_solves_the_puzzle(widget: Widget) -> None:
    configure(widget.site, require_form=True, proof_after=0)
    widget.goto().open().fill(question="At once")
    assert started(widget) == ["At once"]


@pytest.mark.thorough
def test_a_form_that_came_before_the_rush_gets_its_puzzle_and_keeps_what_was_typed(widget: Widget) -> None:
    widget.goto().open().fill(question="Kept?")
    configure(widget.site, require_form=True, proof_after=0)
    assert started(widget) == ["Kept?"]
