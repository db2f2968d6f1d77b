"""The parameters that Twilio's OpenAPI description names for what the site calls, by method and path.

A table by hand, and no copy of Twilio's files: what is sent and does not stand here would be ignored at Twilio, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

PAGE = "PageSize Page PageToken"
CREATION = (
    "AutoCreation.Enabled AutoCreation.Type AutoCreation.ConversationServiceSid AutoCreation.WebhookUrl "
    "AutoCreation.WebhookMethod AutoCreation.WebhookFilters AutoCreation.StudioFlowSid AutoCreation.StudioRetryCount"
)
WEBHOOKS = "PreWebhookUrl PostWebhookUrl Method Filters"

# method, path without /Services/IS…, required parameters, optional ones
TABLE = [
    (
        "POST",
        "/v2/WebChats",
        "AddressSid",
        "ChatFriendlyName CustomerFriendlyName PreEngagementData Identity UiVersion",
    ),
    ("GET", "/v1/Configuration", "", "UiVersion"),
    (
        "POST",
        "/v1/Configuration",
        "",
        "DefaultChatServiceSid DefaultMessagingServiceSid DefaultInactiveTimer DefaultClosedTimer",
    ),
    ("GET", "/v1/Configuration/Webhooks", "", ""),
    ("POST", "/v1/Configuration/Webhooks", "", f"{WEBHOOKS} Target"),
    ("GET", "/v1/Configuration/Addresses", "", f"Type {PAGE}"),
    ("POST", "/v1/Configuration/Addresses", "Type Address", f"FriendlyName AddressCountry {CREATION}"),
    ("GET", "/v1/Configuration/Addresses/IG*", "", ""),
    ("POST", "/v1/Configuration/Addresses/IG*", "", f"FriendlyName {CREATION}"),
    ("GET", "/v1/Conversations", "", f"StartDate EndDate State {PAGE}"),
    ("GET", "/v1/Conversations/CH*", "", ""),
    ("POST", "/v1/Conversations/CH*", "", "FriendlyName Attributes State Timers.Inactive Timers.Closed UniqueName"),
    ("DELETE", "/v1/Conversations/CH*", "", ""),
    ("GET", "/v1/Conversations/CH*/Messages", "", f"Order {PAGE}"),
    (
        "POST",
        "/v1/Conversations/CH*/Messages",
        "",
        "Author Body DateCreated DateUpdated Attributes MediaSid ContentSid",
    ),
    ("GET", "/v1/ParticipantConversations", "", f"Identity Address {PAGE}"),
    ("DELETE", "/v1/Users/*", "", ""),
    ("GET", "/v1/FlexFlows", "", f"FriendlyName {PAGE}"),
    ("GET", "/v2/Flows", "", PAGE),
    ("POST", "/v2/Flows", "FriendlyName Status Definition", "CommitMessage AuthorSid"),
    ("POST", "/v2/Flows/Validate", "FriendlyName Status Definition", "CommitMessage AuthorSid"),
    ("GET", "/v2/Flows/FW*", "", ""),
    ("POST", "/v2/Flows/FW*", "Status", "FriendlyName Definition CommitMessage AuthorSid"),
    ("GET", "/v1/Workspaces/WS*/Workflows", "", f"FriendlyName {PAGE}"),
    # Page is refused there: error 40153.
    ("GET", "/v1/Workspaces/WS*/TaskChannels", "", "PageSize PageToken"),
    ("GET", "/2010-04-01/Accounts/AC*/Keys.json", "", PAGE),
    ("POST", "/2010-04-01/Accounts/AC*/Keys.json", "", "FriendlyName"),
]
_PATTERNS = [
    (method, re.compile(path.replace(".", r"\.").replace("*", "[^/]+")), set(required.split()), set(optional.split()))
    for method, path, required, optional in TABLE
]


def faults_of(calls: Iterable[dict[str, Any]]) -> list[str]:
    """What Twilio would not know or would miss in these calls of the sandbox's log, in words."""
    return [fault for call in calls for fault in _faults_of(call)]


def _faults_of(call: dict[str, Any]) -> list[str]:
    path = re.sub(r"^/v1/Services/IS\w{32}/", "/v1/", call["path"])
    name, sent = f"{call['method']} {path}", set(call["parameters"])
    for method, pattern, required, optional in _PATTERNS:
        if method == call["method"] and pattern.fullmatch(path):
            missing, unknown = required - sent, sent - required - optional
            return [f"{name} lacks {one}" for one in missing] + [f"{name} does not know {one}" for one in unknown]
    return [f"{name} is not in the table"]
