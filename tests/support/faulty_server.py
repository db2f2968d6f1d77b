"""A raw loopback server in Twilio's place, which fails as it is told to.

It keeps what it *did* (`created`, `messages`) apart from what it *answered*: after many faults the two differ, and that
is what the client has to cope with. Unscripted calls are served properly, as far as the gateways need it.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from webchat.sandbox import account


@dataclass
class Call:
    """One request, in the middle of being served."""

    server: FaultyServer
    sock: socket.socket
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]

    def perform(self) -> bytes:
        """Does what is asked for; the proper answer, not sent yet."""
        return response(*self.server.serve(self))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def sleep(self, seconds: float) -> None:
        """Raises OSError when the server stops meanwhile."""
        if self.server.stopping.wait(seconds):
            raise OSError("stopping")


# A fault serves one call. The connection is closed afterwards, if it returns False.
Fault = Callable[[Call], bool]

REASONS = {200: "OK", 201: "Created", 429: "Too Many Requests"}


def response(
    status: int, content: Any = None, headers: dict[str, str] | None = None, length: int | None = None
) -> bytes:
    """The bytes of an HTTP answer. `content`: bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def properly(call: Call) -> bool:
    call.send(call.perform())
    return True


def answering(status: int, content: Any = None, *, done: bool = False, **options: Any) -> Fault:
    """A given answer, whether or not (`done`) what was asked for has been done."""

    def fault(call: Call) -> bool:
        if done:
            call.perform()
        call.send(response(status, content, **options))
        return True

    return fault


def raw(data: bytes, *, done: bool = False) -> Fault:
    def fault(call: Call) -> bool:
        if done:
            call.perform()
        call.send(data)
        return False

    return fault


def hang(*, done: bool) -> Fault:
    def fault(call: Call) -> bool:
        if done:
            call.perform()
        call.sleep(30)
        return False

    return fault


def reset(*, done: bool) -> Fault:
    def fault(call: Call) -> bool:
        if done:
            call.perform()
        # A lingering time of zero: RST instead of FIN.
        call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return fault


def hang_up(call: Call) -> bool:
    """Closes in good order, without an answer."""
    call.perform()
    return False


def properly_then_hang_up(call: Call) -> bool:
    """Closes a connection that the client has every reason to keep."""
    call.send(call.perform())
    return False


def cut_after_the_json(call: Call) -> bool:
    """All that matters arrives, and then less than was promised."""
    status, content = call.server.serve(call)
    call.send(response(status, content, length=1000))
    return False


def no_last_chunk(call: Call) -> bool:
    status, content = call.server.serve(call)
    body = json.dumps(content).encode()
    call.send(b"HTTP/1.1 %d Created\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (status, len(body), body))
    return False


def in_chunks(call: Call) -> bool:
    no_last_chunk(call)
    call.send(b"0\r\n\r\n")
    return True


def drip(start: int | None, every: float = 0.02) -> Fault:
    """Does as asked, and sends the answer byte by byte: from `start` on (None: from the body on)."""

    def fault(call: Call) -> bool:
        answer = call.perform().replace(b"\r\n", b"\r\nX-Padding: " + b"x" * 2000 + b"\r\n", 1)
        head = answer.index(b"\r\n\r\n") + 4 if start is None else start
        if start is None:
            answer = re.sub(rb"Content-Length: \d+", b"Content-Length: 60000", answer[:head]) + b" " * 60000
            head = answer.index(b"\r\n\r\n") + 4
        call.send(answer[:head])
        for position in range(head, len(answer)):
            call.send(answer[position : position + 1])
            call.sleep(every)
        return False

    return fault


def flood(size: int, *, in_head: bool = False) -> Fault:
    """An answer of many bytes."""

    def fault(call: Call) -> bool:
        call.perform()
        if in_head:
            call.send(b"HTTP/1.1 201 Created\r\n")
            piece = b"X-Flood: " + b"x" * 60000 + b"\r\n"
        else:
            call.send(f"HTTP/1.1 201 Created\r\nContent-Length: {size}\r\n\r\n".encode())
            piece = b" " * 65536
        for _ in range(size // len(piece)):
            call.send(piece)
        return False

    return fault


@dataclass
class Conversation:
    sid: str
    identity: str
    unique_name: str | None
    state: str = "active"
    messages: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)  # of the messages

    def view(self) -> dict[str, Any]:
        return {
            "sid": self.sid,
            "account_sid": account.ACCOUNT_SID,
            "unique_name": self.unique_name,
            "state": self.state,
            "attributes": "{}",
        }


class FaultyServer:
    """`with FaultyServer() as twilio:` gives `twilio.url`. `script()` says how the next calls are served."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.connections = 0
        self.created: list[Conversation] = []
        self.stopping = threading.Event()
        self._faults: deque[Fault] = deque()
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def script(self, *faults: Fault) -> None:
        self._faults.extend(faults)

    def find(self, sid_or_name: str) -> Conversation | None:
        return next((one for one in self.created if sid_or_name in (one.sid, one.unique_name)), None)

    def wait_for_connections(self, counts: Container[int]) -> None:
        """Until so many are open, by what the server has seen of them."""
        with self._open_changed:
            assert self._open_changed.wait_for(lambda: len(self._open) in counts, 5), len(self._open)

    def _note(self, change: Callable[[socket.socket], None], sock: socket.socket) -> None:
        with self._open_changed:
            change(sock)
            self._open_changed.notify_all()

    # Life

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        # shutdown() wakes whoever waits in accept() or recv(); close() alone would not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._spawn(self._serve_connection, sock)

    def _serve_connection(self, sock: socket.socket) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._note(self._open.add, sock)
            with sock.makefile("rb") as stream:
                while (call := self._read(sock, stream)) and self._next_fault()(call):
                    pass
        except OSError:
            pass  # the client went away, as it should from most of this server's answers
        finally:
            sock.close()
            self._note(self._open.discard, sock)

    def _next_fault(self) -> Fault:
        with self._lock:
            return self._faults.popleft() if self._faults else properly

    def _read(self, sock: socket.socket, stream: Any) -> Call | None:
        line = stream.readline().decode()
        if not line:
            return None
        method, target, _ = line.split()
        headers = {}
        while (line := stream.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = stream.read(int(headers.get("content-length", 0))).decode()
        url = urlsplit(target)
        call = Call(self, sock, method, url.path, _single(url.query), headers, _single(body))
        self.calls.append(call)
        return call

    # Twilio, in short

    def serve(self, call: Call) -> tuple[int, dict[str, Any]]:
        with self._lock:
            match call.method, call.path.split("/")[1:]:
                case "POST", ["v2", "WebChats"]:
                    made = self._create(call.form["Identity"], None)
                    return 201, {"conversation_sid": made.sid, "identity": made.identity}
                case "POST", ["v1", "WebChannels"]:
                    if self.find(call.form["ChatUniqueName"]):
                        return refusal(409, 45208)
                    made = self._create(call.form["Identity"], call.form["ChatUniqueName"])
                    return 201, {"sid": made.sid, "account_sid": account.ACCOUNT_SID}
                case "GET", ["v1", "Configuration"]:
                    return 200, {"default_chat_service_sid": account.CHAT_SERVICE_SID}
                case "GET", ["v1", "ParticipantConversations"]:
                    found = [one for one in self.created if one.identity == call.query["Identity"]]
                    return 200, listing("conversations", [participation(one) for one in found])
                case _, ["v1", "WebChannels" | "Conversations", name, *rest]:
                    if (one := self.find(unquote(name))) is None:
                        return refusal(404, 20404)
                    return self._serve_conversation(call, one, rest)
        return refusal(404, 20404)

    def _serve_conversation(self, call: Call, one: Conversation, rest: list[str]) -> tuple[int, dict[str, Any]]:
        match call.method, rest:
            case "GET", []:
                return 200, one.view()
            case "GET", ["Messages"]:
                records = [
                    {"author": author, "body": body, "attributes": attributes}
                    for (author, body), attributes in zip(one.messages, one.attributes, strict=True)
                ]
                return 200, listing("messages", records)
            case _ if one.state == "closed":
                return refusal(403, 50438)
            case "POST", ["Messages"]:
                one.messages.append((call.form["Author"], call.form["Body"]))
                one.attributes.append(call.form.get("Attributes", "{}"))
                return 201, {"sid": sid("IM")}
            case _:
                assert call.form in ({"State": "closed"}, {"ChatStatus": "inactive"})
                one.state = "closed"
                return 200, one.view()

    def _create(self, identity: str, unique_name: str | None) -> Conversation:
        self.created.append(Conversation(sid("CH"), identity, unique_name))
        return self.created[-1]


def sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def refusal(status: int, code: int) -> tuple[int, dict[str, Any]]:
    return status, {"code": code, "message": "secret of Twilio", "more_info": "https://example.com", "status": status}


def listing(key: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: records, "meta": {"key": key, "page": 0, "page_size": 50}}


def participation(conversation: Conversation) -> dict[str, Any]:
    return {
        "account_sid": account.ACCOUNT_SID,
        "conversation_sid": conversation.sid,
        "conversation_state": conversation.state,
        "participant_identity": conversation.identity,
    }


def _single(query: str) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(query, keep_blank_values=True, strict_parsing=bool(query)).items()
    }


@contextmanager
def listener_that_never_accepts() -> Iterator[int]:
    """A port whose queue is full: a further connection is neither made nor refused."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
            time.sleep(0.05)
            yield int(listener.getsockname()[1])
        finally:
            for sock in waiting:
                sock.close()
