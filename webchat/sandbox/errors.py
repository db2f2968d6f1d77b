"""Twilio's error answer, and the codes that the sandbox gives.

Codes: https://www.twilio.com/docs/api/errors. Twilio does not publish the HTTP status of every code; where it does
not, the status is the sandbox's choice.
"""

from __future__ import annotations

from typing import Any


class TwilioError(Exception):
    """A refused request: answered as HTTP `status` with Twilio's JSON {code, message, more_info, status}."""

    def __init__(self, status: int, code: int, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def to_json(self) -> dict[str, Any]:
        answer = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        return answer | ({"details": self.details} if self.details else {})


def not_found(path: str) -> TwilioError:
    return TwilioError(404, 20404, f"The requested resource {path} was not found")


def invalid(message: str, code: int = 20001) -> TwilioError:
    return TwilioError(400, code, message)


def unauthorized() -> TwilioError:
    return TwilioError(401, 20003, "Authenticate")


def forbidden() -> TwilioError:
    """The status and the code are the sandbox's choice: Twilio names neither for a key without the right."""
    return TwilioError(403, 20403, "The API key may not do this")


def conversation_not_found() -> TwilioError:
    return TwilioError(404, 50350, "Conversation not found")


def message_not_found() -> TwilioError:
    return TwilioError(404, 50351, "Message not found")


def participant_not_found() -> TwilioError:
    return TwilioError(404, 50432, "Participant not found")


def not_a_participant() -> TwilioError:
    return TwilioError(403, 50400, "User not participant of conversation")


def conversation_closed() -> TwilioError:
    return TwilioError(403, 50438, "Conversation is closed")


def sync_object_not_found() -> TwilioError:
    return TwilioError(404, 54300, "Sync object not found")
