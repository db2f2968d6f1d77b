"""Rows for tests: plain functions with sensible defaults."""

from __future__ import annotations

from typing import Any

from config.accounts.models import User
from tests.support.site_visitor import ANSWERS
from webchat.models import OpeningHours, PreEngagementField, Span, Webchat
from webchat.sandbox import account

__all__ = ["ANSWERS", "Role", "Type", "make_field", "make_hours", "make_legacy", "make_user", "make_webchat"]

Type, Role = PreEngagementField.Type, PreEngagementField.Role


def make_webchat(*, fields: bool = True, **values: Any) -> Webchat:
    """A webchat that works against the sandbox; with name, e-mail and question unless `fields` is false."""
    defaults = {
        "slug": "support",
        "name": "Support",
        "chat_service_sid": account.CHAT_SERVICE_SID,
        "address_sid": account.ADDRESS_SID,
        "flex_flow_sid": account.FLEX_FLOW_SID,
    }
    webchat = Webchat(**{**defaults, **values})
    webchat.full_clean()
    webchat.save()
    if fields:
        make_field(webchat, "name", type=Type.NAME, role=Role.CUSTOMER_NAME)
        make_field(webchat, "email", type=Type.EMAIL)
        make_field(webchat, "question", type=Type.TEXTAREA, role=Role.QUESTION)
    return webchat


def make_legacy(**values: Any) -> Webchat:
    """The same by the older API, with Twilio's widget for it, and with no address to go on by unless asked for."""
    return make_webchat(**{"api": "web_channels", "widget": "flex_ui", "address_sid": "", **values})


def make_field(webchat: Webchat, name: str, **values: Any) -> PreEngagementField:
    defaults = {"label": name.replace("_", " ").capitalize(), "position": webchat.fields.count()}
    field = PreEngagementField(webchat=webchat, name=name, **{**defaults, **values})
    field.full_clean()
    field.save()
    return field


def make_hours(*spans: tuple[int, str, str], **values: Any) -> OpeningHours:
    """A plan of (weekday from 0 for Monday, opens, closes), in Berlin unless told otherwise."""
    plan = OpeningHours(**{"name": "Office", "time_zone": "Europe/Berlin", **values})
    plan.full_clean()
    plan.save()
    for weekday, opens, closes in spans:
        span = Span(hours=plan, weekday=weekday, opens=opens, closes=closes)
        span.full_clean()
        span.save()
    return plan


def make_user(username: str = "ada", **values: Any) -> User:
    defaults = {"email": f"{username}@example.com", "first_name": username.capitalize(), "last_name": "Lovelace"}
    return User.objects.create_user(username, password="sandbox", **{**defaults, **values})


def change(row: Any, **values: Any) -> Any:
    """Saves new values, as staff do: the process forgets its copy of the webchat."""
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row
