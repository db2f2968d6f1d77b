"""The chat's own settings: their types and defaults in one place, read from Django's settings at call time."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from django.conf import settings

T = TypeVar("T")


class _Setting(Generic[T]):
    """A setting of Django's by the attribute's own name."""

    def __init__(self, default: T) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> T:
        return cast(T, getattr(settings, self.name, self.default))


class _Conf:
    # The account at Twilio. Without these every chat says that it is unavailable.
    TWILIO_ACCOUNT_SID = _Setting("")
    TWILIO_AUTH_TOKEN = _Setting("")
    TWILIO_AUTH_TOKEN_SECONDARY = _Setting("")
    TWILIO_API_KEY_SID = _Setting("")
    TWILIO_API_KEY_SECRET = _Setting("")
    TWILIO_REGION = _Setting("us1")
    # The address of the sandbox in place of Twilio's.
    TWILIO_SANDBOX_URL = _Setting("")
    # A site over TLS on which nobody awaits a real agent: the sandbox may be in use there.
    WEBCHAT_STAGING = _Setting(default=False)

    # "off" lifts the limits on starts, for load tests against the sandbox.
    WEBCHAT_LIMITS = _Setting("on")
    # The dotted path of a function that is asked before a channel is opened.
    WEBCHAT_BEFORE_START = _Setting("")
    # The path of a function that tells the agents of a chat more, when the Studio flow asks.
    WEBCHAT_TELL_AGENTS = _Setting("")
    # The path of a function that says which users may be mailed. Without it none is.
    WEBCHAT_MAY_MAIL = _Setting("")
    # Conversations mailed in a day (UTC), of all users together.
    WEBCHAT_TRANSCRIPTS_A_DAY = _Setting(200)
    # Whether users see their own past chats.
    WEBCHAT_HISTORY = _Setting(default=False)
    # The values of the user model, by path, that staff may compare answers with.
    WEBCHAT_USER_LOOKUPS = _Setting(("email", "first_name", "last_name"))
    # Threads of a server process: half of them may wait for Twilio.
    WEBCHAT_THREADS = _Setting(20)
    # When the worker blanks a chat's answers, and when it deletes its row.
    WEBCHAT_KEEP_ANSWERS_DAYS = _Setting(30)
    WEBCHAT_KEEP_SESSIONS_DAYS = _Setting(90)

    # The site as visitors and Twilio reach it.
    PUBLIC_BASE_URL = _Setting("http://127.0.0.1:8000")
    SERVED_OVER_TLS = _Setting(default=False)
    # "__Host-" on a site that is served over TLS.
    COOKIE_PREFIX = _Setting("")
    # How many proxies of the site's own append to X-Forwarded-For.
    TRUSTED_PROXY_COUNT = _Setting(0)


conf = _Conf()
