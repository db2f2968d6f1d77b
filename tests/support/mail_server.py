"""A mail server on a free port, which takes mail, or fails as mail servers do."""

from __future__ import annotations

import email.policy
import socketserver
import threading
from email.message import EmailMessage
from typing import Any


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        server = self.server
        with server.lock:
            server.connections += 1
        if self.hangs():
            return
        self.say("220 mail.example ESMTP")
        recipients: list[str] = []
        while line := self.rfile.readline():
            if self.hangs():
                return
            verb = line.split(b":")[0].strip().upper()
            if verb == b"RCPT TO":
                refusal = server.faults.get("recipient")
                if not refusal:
                    recipients.append(line.decode().split("<")[1].split(">")[0])
                self.say(refusal or "250 ok")
            elif verb == b"DATA":
                self.say("354 go on")
                self.take(recipients)
                if "drop" in server.faults:  # it has the message, and nobody hears so
                    return
                self.say(server.faults.get("data", "250 taken"))
                recipients = []
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def hangs(self) -> bool:
        if "hang" not in self.server.faults:
            return False
        self.server.hanging.set()
        self.server.released.wait(30)
        return True

    def take(self, recipients: list[str]) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        with self.server.lock:
            self.server.messages.append((recipients, message))

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """`messages` are (recipients, message) as they came. `faults`: "hang" says nothing more and
    sets `hanging` as soon as a client waits for it, "drop" takes the message and is gone, "recipient" and "data" answer
    with a line of their own, such as "550 unknown"."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.lock = threading.Lock()
        self.hanging, self.released = threading.Event(), threading.Event()
        self.messages: list[tuple[list[str], EmailMessage]] = []
        self.connections = 0
        self.faults: dict[str, str] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """Django's settings for it."""
        host, port = self.server_address[:2]
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": host,
            "EMAIL_PORT": port,
        }

    def __enter__(self) -> MailServer:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.released.set()
        self.shutdown()
        super().__exit__(*failure)
