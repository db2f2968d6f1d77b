"""The media service by plain HTTP: who may upload and read, and what a temporary URL is worth."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import time_machine

from tests.support.sandbox import SandboxServer
from tests.support.twilio_clients import Browser, access_token, run
from webchat.sandbox import account, limits

MEDIA = f"/mcs/v1/Services/{account.CHAT_SERVICE_SID}/Media"
CREDENTIALS = (account.ACCOUNT_SID, account.AUTH_TOKEN)


def upload(
    sandbox: SandboxServer, content: bytes = b"content", content_type: str = "text/plain", **options: Any
) -> requests.Response:
    headers = {"X-Twilio-Token": access_token(options.pop("identity", "uploader")), "Content-Type": content_type}
    query = {"Category": "media", "Filename": "a b.txt", **options}
    return sandbox.request("POST", MEDIA, params=query, data=content, headers=headers)


def test_upload_fetch_and_content(sandbox: SandboxServer) -> None:
    answer = upload(sandbox)
    assert answer.status_code == 201
    media = answer.json()
    assert (media["size"], media["content_type"], media["filename"]) == (7, "text/plain", "a b.txt")
    assert (media["author"], media["category"], media["sid"][:2]) == ("uploader", "media", "ME")
    for path in (f"{MEDIA}/{media['sid']}", f"/v1/Services/{account.CHAT_SERVICE_SID}/Media/{media['sid']}"):
        assert sandbox.request("GET", path, auth=CREDENTIALS).json()["sid"] == media["sid"]
    content = requests.get(media["links"]["content_direct_temporary"], timeout=60)
    assert content.content == b"content"
    assert content.headers["Content-Type"] == "text/plain"
    assert content.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert content.headers["Content-Disposition"] == "inline; filename*=UTF-8''a%20b.txt"


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "application/javascript", "application/pdf"])
def test_active_content_is_downloaded_not_shown(sandbox: SandboxServer, content_type: str) -> None:
    name = 'x"\r\nSet-Cookie: a=b; /../<script>.html'
    media = upload(sandbox, b"<script>alert(1)</script>", content_type, Filename=name).json()
    content = requests.get(media["links"]["content_direct_temporary"], timeout=60)
    assert content.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''x")
    assert "Set-Cookie" not in content.headers


def test_only_the_account_author_and_participants_read(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("uploader")
    sandbox.rest("POST", f"/v1/Conversations/{sid}/Participants", Identity="agent")
    media = upload(sandbox).json()["sid"]

    def may_read(identity: str) -> bool:
        headers = {"X-Twilio-Token": access_token(identity)}
        one = sandbox.request("GET", f"{MEDIA}/{media}", headers=headers).status_code == 200
        command = {"command": "get", "list": [{"media_sid": media}]}
        (entry,) = sandbox.request("POST", f"{MEDIA}Set", json=command, headers=headers).json()
        assert entry["media_record"]["sid"] == media
        assert (entry["code"] == 200) is one
        return one

    assert may_read("uploader")
    assert not may_read("agent")

    async def send() -> None:
        async with Browser.to(sandbox) as thief, Browser.to(sandbox) as browser:
            await thief.init(access_token("agent"))
            await browser.init(access_token("uploader"))
            path, body = f"/Client/v2/Conversations/{sid}/Messages", {"media_sids": [media]}
            assert (await thief.request("POST", path, body))[0] == 400
            assert (await browser.request("POST", path, body))[0] == 201
            assert (await browser.request("POST", path, body))[0] == 400

    run(send())
    assert may_read("agent")
    assert not may_read("stranger")
    assert sandbox.messages(sid)[0]["media"][0]["sid"] == media


def test_backend_sends_an_uploaded_file(sandbox: SandboxServer) -> None:
    sid = sandbox.open_webchat("receiver")
    media = upload(sandbox).json()["sid"]
    sandbox.rest("POST", f"/v1/Conversations/{sid}/Messages", Author="bot", MediaSid=media)
    assert sandbox.messages(sid)[0]["media"][0]["filename"] == "a b.txt"
    sandbox.say(sid, "receiver", "thanks", webhooks=True)
    view = sandbox.desk(sid)["messages"][0]["media"][0]
    assert sandbox.request("GET", view["url"]).content == b"content"


def test_temporary_url_expires_and_cannot_be_forged(sandbox: SandboxServer) -> None:
    link = upload(sandbox).json()["links"]["content_direct_temporary"]
    path = link.removeprefix(sandbox.url)
    assert sandbox.request("GET", path).status_code == 200
    for forged in (
        path.replace("expires=", "expires=9"),
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path.partition("?")[0],
        path.replace("signature=", "signature=%ff"),
        path.replace("expires=", "expires=٣"),
    ):
        assert sandbox.request("GET", forged).status_code == 403


def test_expired_temporary_url() -> None:
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        from webchat.sandbox.entities import Media
        from webchat.sandbox.media import MediaStore

        store = MediaStore()
        media = store.add(Media(author="a", content=b"x", size=1, content_type="text/plain", filename=None))
        query = store.temporary_path(media).partition("?")[2]
        expires, signature = (pair.partition("=")[2] for pair in query.split("&"))
        assert store.by_temporary_url(media.sid, expires, signature) is media
        traveller.shift(301)
        assert store.by_temporary_url(media.sid, expires, signature) is None


@pytest.mark.parametrize("token", [None, "garbage", access_token(secret="w" * 32)])
def test_bad_token(sandbox: SandboxServer, token: str | None) -> None:
    headers = {"X-Twilio-Token": token} if token else {}
    answer = sandbox.request("POST", MEDIA, data=b"x", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, 20101)


def test_refused_uploads(sandbox: SandboxServer) -> None:
    assert upload(sandbox, Category="nonsense").status_code == 400
    assert upload(sandbox, Filename="f" * 300).status_code == 400
    assert upload(sandbox, b"no parts", "multipart/form-data; boundary=x").status_code == 400
    assert upload(sandbox, b"no boundary", "multipart/form-data").status_code == 400
    assert sandbox.request("POST", MEDIA, data=b"x", auth=CREDENTIALS).status_code == 400
    headers = {"X-Twilio-Token": access_token()}
    for body in ({}, [], {"command": "get", "list": [1]}, {"command": "get", "list": [{}]}, {"command": "drop"}):
        assert sandbox.request("POST", f"{MEDIA}Set", json=body, headers=headers).status_code == 400
    assert sandbox.request("GET", f"{MEDIA}/ME{'0' * 32}", headers=headers).status_code == 404


def test_too_large_a_file(sandbox: SandboxServer) -> None:
    def chunks() -> Any:
        for _ in range(33):
            yield b"x" * 1024 * 1024

    answer = upload(sandbox, chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, 20413)


def test_oldest_files_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    from webchat.sandbox.entities import Media
    from webchat.sandbox.media import MediaStore

    monkeypatch.setattr(limits, "MEDIA_KEPT", 10)
    store = MediaStore()
    kept = [
        store.add(Media(author="a", content=b"1234", size=4, content_type="text/plain", filename=None))
        for _ in range(3)
    ]
    assert [store.find(media.sid) is media for media in kept] == [False, True, True]
    assert kept[0].content == b""
