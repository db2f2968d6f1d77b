"""Proof of work, for when many chats are being started: the browser solves a small puzzle before the form is sent.

Altcha's puzzle: find the counter whose PBKDF2 key starts with a given prefix. https://altcha.org/docs/v2/
Each puzzle is made for one form's key, which starts one session, so a solution is of no use twice.
"""

from __future__ import annotations

import json
import secrets
import time

import altcha
from django.utils.crypto import salted_hmac

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
        expires_at=int(time.time()) + VALID_SECONDS,
        data={"key": key},
        hmac_secret=_secret(),
    )
    return json.dumps(challenge.to_dict())


def check(solution: str, key: str) -> None:
    """Raises ChatRefused(PROOF_NEEDED) unless it solves a puzzle that was made for this key not long ago."""
    solved = solution and altcha.verify_solution(solution, _secret()).verified
    if solved and altcha.Payload.from_base64(solution).challenge.parameters.data == {"key": key}:
        return
    raise ChatRefused(Code.PROOF_NEEDED)


def _secret() -> str:
    return salted_hmac("webchat.proof", "", algorithm="sha256").hexdigest()
