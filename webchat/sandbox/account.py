"""The sandbox's one account.

Public constants, no secrets: they open nothing but a sandbox, and everything else is refused as Twilio refuses it.
"""

from __future__ import annotations

ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "sandbox-auth-token-0123456789abcdef"
API_KEY_SID = "SK" + "0" * 32
API_KEY_SECRET = "sandbox-api-key-secret-0123456789abcdef"

# May read everything but the account itself and its keys, and change nothing.
READ_ONLY_KEY_SID = "SK" + "0" * 31 + "1"
READ_ONLY_KEY_SECRET = "sandbox-read-only-secret-0123456789abcdef"

CHAT_SERVICE_SID = "IS" + "0" * 32
OTHER_CHAT_SERVICE_SID = "IS" + "0" * 31 + "1"
ADDRESS_SID = "IG" + "0" * 32
FLEX_FLOW_SID = "FO" + "0" * 32

MESSAGING_SERVICE_SID = "MG" + "0" * 32
STUDIO_FLOW_SID = "FW" + "0" * 32
USER_ROLE_SID = "RL" + "0" * 32
CUSTOMER_ROLE_SID = "RL" + "0" * 31 + "1"
AGENT_ROLE_SID = "RL" + "0" * 31 + "2"

WORKSPACE_SID = "WS" + "0" * 32
WORKFLOW_SID = "WW" + "0" * 32
OTHER_WORKFLOW_SID = "WW" + "0" * 31 + "1"
TASK_QUEUE_SID = "WQ" + "0" * 32
AVAILABLE_SID = "WA" + "0" * 32
OFFLINE_SID = "WA" + "0" * 31 + "1"
# By unique name. https://www.twilio.com/docs/taskrouter/api/task-channel
TASK_CHANNELS = {"default": "TC" + "0" * 32, "chat": "TC" + "0" * 31 + "1"}

# HTTP Basic: the account SID goes with the auth token, an API key with its secret.
CREDENTIALS = {
    ACCOUNT_SID: AUTH_TOKEN,
    API_KEY_SID: API_KEY_SECRET,
    READ_ONLY_KEY_SID: READ_ONLY_KEY_SECRET,
}
