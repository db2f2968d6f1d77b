"""What a page needs to carry Flex Webchat UI 2.x: its script, its configuration, and its Content-Security-Policy.

Version 2.9.4 is the last one. https://www.twilio.com/docs/flex/developer/messaging/webchat/setup
"""

from __future__ import annotations

from typing import Any

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.contrib.staticfiles import finders
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from webchat.conf import conf
from webchat.flex.tokens import sdk_options
from webchat.forms.form import PreEngagementForm
from webchat.legacy.fields import pre_engagement_config
from webchat.models import Webchat
from webchat.visitors import cookie_name

HOST = "https://assets.flex.twilio.com"
CDN_URL = f"{HOST}/releases/flex-webchat-ui/2.9.4/twilio-flex-webchat.min.js"
# The same file, where `make flex-ui` or the deployer has put it.
STATIC_NAME = "webchat/flex-ui/twilio-flex-webchat.js"
INTEGRITY = "sha512-dTCuWmpLM5hU93AkDjgZjRGT0dKNwJZgriDAVq6ToVtdr3SBFByDMqlRxg7BuXAuv2sgNcWZdUGt5mWjHK3x1A=="

# It compiles templates as it runs, writes style elements, and loads a font. Its script is loaded by ours, which is
# trusted to do so ('strict-dynamic').
POLICY = {
    "script-src": [UNSAFE_EVAL],
    "style-src": [UNSAFE_INLINE, HOST],
    "font-src": [HOST],
    "img-src": [HOST],
}


def script_url() -> str:
    """The site's own file where there is one, else Twilio's."""
    if finders.find(STATIC_NAME):
        try:
            return static(STATIC_NAME)
        except ValueError:  # not collected yet
            pass
    return CDN_URL


def render_launcher(webchat: Webchat, request: HttpRequest, values: dict[str, Any], context: str) -> str:
    """The launcher of a page that carries the UI. `values` are those of our own launcher, which stands in where the UI
    cannot be loaded; `context` is what the page says, signed."""
    request.csp_update = POLICY  # type: ignore[attr-defined]
    values = values | template_values(webchat, request, context)
    return render_to_string("webchat/legacy/launcher.html", values, request=request)


def template_values(webchat: Webchat, request: HttpRequest, context: str) -> dict[str, Any]:
    user = request.user if request.user.is_authenticated else None
    form = PreEngagementForm(webchat, user=user, context=context)
    return {
        # The message is no part of the UI's configuration, which does not take it.
        "config": {"ui": ui_config(form), "predefinedMessage": _predefined_message(webchat)},
        "script_url": script_url(),
        "integrity": INTEGRITY,
        # What our own form calls the visitor's name, if it asks for it.
        "name_field": next((row.name for row in form.rows if row.role == row.Role.CUSTOMER_NAME), ""),
        # Whether this browser may have a chat: else nobody needs to ask.
        "is_known": cookie_name() in request.COOKIES,
    }


def ui_config(form: PreEngagementForm) -> dict[str, Any]:
    """What `createWebChat` takes. It starts without a form, on a click, where the account answers everything."""
    webchat = form.webchat
    context = {"friendlyName": webchat.customer_friendly_name}
    if form.context:
        context["context"] = form.context
    return {
        "accountSid": conf.TWILIO_ACCOUNT_SID,
        "flexFlowSid": webchat.flex_flow_sid,
        "chatFriendlyName": webchat.chat_friendly_name,
        "tokenServerUrl": reverse("webchat_legacy:token", args=[webchat.slug]),
        "flexWebChannelsUrl": reverse("webchat_legacy:web-channels", args=[webchat.slug]),
        "context": context,
        "startEngagementOnInit": form.asks_nothing,
        "preEngagementConfig": pre_engagement_config(form),
        "language": get_language(),
        "colorTheme": _theme(webchat),
        "componentProps": _component_props(webchat),
        # Else the SDK keeps the pre-engagement data in the tab, for whoever uses it next.
        "sdkOptions": {
            "chat": {"region": conf.TWILIO_REGION, "Sync": {"enableSessionStorage": False}, **sdk_options()}
        },
    }


def _theme(webchat: Webchat) -> dict[str, Any]:
    brand = {"background": webchat.brand_colour, "color": webchat.brand_ink}
    return {
        "baseName": "BlueMediumTheme",
        "colors": {"defaultButtonColor": webchat.brand_colour, "buttonHoverColor": webchat.brand_colour},
        "overrides": {
            "EntryPoint": {"Container": brand},
            "MainHeader": {"Container": brand, "Logo": {"fill": webchat.brand_ink}},
            "PreEngagementCanvas": {"Form": {"SubmitButton": {"background-image": "none", **brand}}},
            "Chat": {
                "MessageInput": {"Button": brand},
                "MessageListItem": {"FromMe": {"Bubble": brand, "Header": {"color": webchat.brand_ink}}},
            },
        },
    }


def _component_props(webchat: Webchat) -> dict[str, Any]:
    return {
        "EntryPoint": {
            "tagline": webchat.texts["launcher_label"],
            "collapsedIconAriaProps": {"ariaLabel": webchat.texts["launcher_label"]},
            "openedIconAriaProps": {"ariaLabel": _("Minimise chat")},
        },
        "MainHeader": {"titleText": webchat.texts["title"], "showImage": False},
    }


def _predefined_message(webchat: Webchat) -> dict[str, Any]:
    """A bubble that only the visitor sees."""
    return {"authorName": webchat.texts["title"], "body": webchat.texts["waiting_text"], "isFromMe": False}
