"""Proof of work, for when many chats are being started: the browser solves a small puzzle before the form is sent.

Altcha's puzzle: find the counter whose PBKDF2 key starts with a given prefix. https://altcha.org/docs/v2/
Each puzzle is made for one form's key, which starts one session, so a solution is of no use twice.
"""

from __future__ import annotations

import json
import secrets

import altcha
from django.utils.crypto import salted_hmac

from webchat.clock import database_now
from webchat.errors import ChatRefused, Code

ALGORITHM = "PBKDF2/SHA-256"
# Half a second of a desktop's time, and one or two of a phone's: 100 to 300 keys of 2,000 rounds each.
ROUNDS_A_KEY = 2000
FEWEST_KEYS = 100
MORE_KEYS = 200
VALID_SECONDS = 1200


def puzzle(key: str) -> str:
    """The puzzle for the form of this key, as JSON for static/webchat/proof-of-work.js."""
    challenge = altcha.create_challenge(
        ALGORITHM,
        ROUNDS_A_KEY,
        counter=FEWEST_KEYS + secrets.randbelow(MORE_KEYS),
        # Its time is the database's, as a solution may come to another machine. Altcha's own goes by this one's clock.
        data={"key": key, "made_at": int(database_now().timestamp())},
        hmac_secret=_secret(),
    )
    return json.dumps(challenge.to_dict())


def check(solution: str, key: str) -> None:
    """Raises ChatRefused(PROOF_NEEDED) unless it solves a puzzle that was made for this key not long ago."""
    if not (solution and altcha.verify_solution(solution, _secret()).verified):
        raise ChatRefused(Code.PROOF_NEEDED)
    match altcha.Payload.from_base64(solution).challenge.parameters.data:
        case {"key": made_for, "made_at": int(made_at)} if made_for == key:
            if abs(database_now().timestamp() - made_at) <= VALID_SECONDS:
                return
    raise ChatRefused(Code.PROOF_NEEDED)


def _secret() -> str:
    return salted_hmac("webchat.proof", "", algorithm="sha256").hexdigest()
