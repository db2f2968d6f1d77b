"""What agents may know of a running chat, and its visitor may not: the answer to the Studio flow that asks this site.

Studio puts it into the task, which no visitor can read. Attributes of the conversation, its user and its messages they can.
https://www.twilio.com/docs/studio/widget-library/http-request
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog
from django.urls import reverse
from django.utils.module_loading import import_string

from webchat.conf import conf
from webchat.models import ChatSession

logger = structlog.get_logger(__name__)

# A task's attributes have 1024 characters at most, and the visitor's data wants some of them.
MOST_CHARACTERS = 500


def facts_for_agents(session: ChatSession) -> dict[str, Any]:
    """`session_url` (in the admin, for who may look there), `matches_account` and `verified` (names of fields),
    `earlier_chats` (a number), and `site`, what the site's hook adds. At most MOST_CHARACTERS as JSON: what would be more is
    left out, the hook's first, and `cut` says so."""
    facts: dict[str, Any] = {
        "session_url": conf.PUBLIC_BASE_URL + reverse("admin:webchat_chatsession_change", args=[session.pk]),
        "earlier_chats": count_earlier(session),
        "matches_account": session.account_matches,
        "verified": session.answers.get("verified", []),
    }
    if more := ask_the_site(session):
        facts["site"] = more
    return _cut(facts)


def count_earlier(session: ChatSession) -> int:
    """The chats of the same account before this one; where nobody was signed in, those of the same browser since it was
    opened. An answer that matches an account counts for nothing here: anybody can type it."""
    mine = {"user_id": session.user_id} if session.user_id else {"user_id": None, "browser": session.browser}
    earlier = ChatSession.objects.filter(**mine, created_at__lt=session.created_at)
    return earlier.exclude(channel_sid="").count()


def ask_the_site(session: ChatSession) -> dict[str, Any]:
    """What the function that WEBCHAT_TELL_AGENTS names adds. Raises nothing: an agent without it is better than none."""
    if not conf.WEBCHAT_TELL_AGENTS:
        return {}
    try:
        found: Mapping[str, Any] | None = import_string(conf.WEBCHAT_TELL_AGENTS)(session=session)
        more: dict[str, Any] = json.loads(json.dumps(dict(found or {}), allow_nan=False))
    except Exception:
        logger.exception("agents_not_told", session=str(session.pk))
        return {}
    return more


def _cut(facts: dict[str, Any]) -> dict[str, Any]:
    kept = dict(facts)
    while len(json.dumps(kept)) > MOST_CHARACTERS:
        kept.pop("cut", None)
        kept.popitem()
        kept["cut"] = True
    return kept
