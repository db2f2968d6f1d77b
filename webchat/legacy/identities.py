"""Identities of chats that do not exist yet: Flex Webchat UI asks for a token first, and then for a channel.

Nothing is kept of them. An identity itself tells whether it was made here for this webchat, this browser and its user,
so a token opens one channel, where it was asked for, and a token of our own widget opens none.
"""

from __future__ import annotations

import secrets

from django.utils.crypto import constant_time_compare, salted_hmac

from webchat.models import Webchat
from webchat.visitors import Visitor


def new_identity(webchat: Webchat, visitor: Visitor) -> str:
    """As unguessable as any other: 64 random bits, and as many that only the site's secret key leads to."""
    nonce = secrets.token_hex(8)
    return f"w_{nonce}{_seal(nonce, webchat, visitor)}"


def is_identity_of(identity: str, webchat: Webchat, visitor: Visitor) -> bool:
    nonce, seal = identity[2:18], identity[18:]
    return identity.startswith("w_") and constant_time_compare(seal, _seal(nonce, webchat, visitor))


def _seal(nonce: str, webchat: Webchat, visitor: Visitor) -> str:
    value = f"{nonce} {webchat.pk} {visitor.browser} {visitor.user_id or ''}"
    return salted_hmac("webchat.legacy.identity", value, algorithm="sha256").hexdigest()[:16]
