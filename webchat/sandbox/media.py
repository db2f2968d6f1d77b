"""The media service: files of messages, up and down by plain HTTP.

The browser comes with its access token, a backend with HTTP Basic. The content itself is open to whoever has one of
the temporary, signed URLs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import BodyPartReader, hdrs, web
from multidict import CIMultiDict

from . import limits
from .account import ACCOUNT_SID, CHAT_SERVICE_SID
from .clock import seconds
from .entities import Media
from .errors import TwilioError, invalid, not_found
from .rest import CREATED, basic_credentials
from .tokens import TokenError, verify

URL_SECONDS = 300  # how long a temporary URL works
SHOWN_INLINE = ("image/gif", "image/jpeg", "image/png", "image/webp", "audio/", "video/", "text/plain")
CHUNK = 64 * 1024


class MediaStore:
    """The files, in memory: the oldest go when there is no room for a new one."""

    def __init__(self) -> None:
        self._media: dict[str, Media] = {}
        self._size = 0
        self._key = secrets.token_bytes(32)

    def add(self, media: Media) -> Media:
        self._media[media.sid] = media
        self._size += media.size
        while self._size > limits.MEDIA_KEPT:
            oldest = self._media.pop(next(iter(self._media)))
            self._size -= oldest.size
            oldest.content = b""  # a message may still name it
        return media

    def find(self, sid: str) -> Media | None:
        return self._media.get(sid)

    def unsent(self, sid: str, author: str | None) -> Media:
        """The file that `author` (None: anybody) uploaded and has not sent yet. Raises TwilioError."""
        media = self._media.get(sid)
        if media is None or media.conversation is not None or author not in (None, media.author):
            raise invalid(f"Media {sid[:34]} not found")
        return media

    def temporary_path(self, media: Media) -> str:
        expires = int(time.time()) + URL_SECONDS
        query = urlencode({"expires": expires, "signature": self._sign(media.sid, expires)})
        return f"/mcs/v1/Services/{CHAT_SERVICE_SID}/Media/{media.sid}/Content?{query}"

    def by_temporary_url(self, sid: str, expires: str, signature: str) -> Media | None:
        if not expires.isascii() or not expires.isdecimal() or len(expires) > 12 or int(expires) < time.time():
            return None
        if not hmac.compare_digest(self._sign(sid, int(expires)).encode(), signature.encode("utf-8", "replace")):
            return None
        return self._media.get(sid)

    def _sign(self, sid: str, expires: int) -> str:
        return hmac.new(self._key, f"{sid}.{expires}".encode(), hashlib.sha256).hexdigest()


class MediaApi:
    def __init__(self, media: MediaStore) -> None:
        self.media = media

    def routes(self) -> list[web.RouteDef]:
        service = f"/mcs/v1/Services/{CHAT_SERVICE_SID}"
        return [
            web.post(f"{service}/Media", self.upload),
            web.get(f"{service}/Media/{{sid}}", self.fetch),
            web.get(f"{service}/Media/{{sid}}/Content", self.content),
            web.post(f"{service}/MediaSet", self.fetch_set),
            # As a backend asks for it, its host dropped.
            web.get(f"/v1/Services/{CHAT_SERVICE_SID}/Media/{{sid}}", self.fetch),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        author = _identity(request)
        if author is None:
            raise invalid("An upload needs an access token")
        if request.content_type == "multipart/form-data":
            content, content_type, filename = await _first_part(request)
        else:
            content, content_type = await read_content(request), request.content_type
            filename = request.query.get("Filename")
        limits.text("Filename", filename)
        category = request.query.get("Category", "media")
        if category not in {"media", "body", "history"}:
            raise invalid("Invalid media category")
        media = Media(
            author=author,
            content=content,
            size=len(content),
            content_type=content_type,
            filename=filename or None,
            category=category,
        )
        request[CREATED] = self.media.add(media).sid
        return web.json_response(self._view(media, request), status=201)

    async def fetch(self, request: web.Request) -> web.Response:
        media = self._readable(request.match_info["sid"], _identity(request))
        if media is None:
            raise not_found(request.path)
        return web.json_response(self._view(media, request))

    async def fetch_set(self, request: web.Request) -> web.Response:
        identity = _identity(request)
        try:
            match limits.parse_json(await request.text()):
                case {"command": "get", "list": list(wanted)} if len(wanted) <= 100:
                    sids = [str(entry["media_sid"]) for entry in wanted]
                case _:
                    raise invalid("Invalid media set command")
        except (ValueError, TypeError, LookupError) as error:
            raise invalid("Invalid media set command") from error
        found = [(sid, self._readable(sid, identity)) for sid in sids]
        # The SDK reads `media_record.sid` of an entry that failed, too.
        return web.json_response(
            [
                {"code": 200, "media_record": self._view(media, request)}
                if media
                else {"code": 404, "media_record": {"sid": sid}}
                for sid, media in found
            ]
        )

    async def content(self, request: web.Request) -> web.Response:
        query = request.query
        media = self.media.by_temporary_url(
            request.match_info["sid"], query.get("expires", ""), query.get("signature", "")
        )
        if media is None:
            raise TwilioError(403, 20403, "The temporary URL is wrong or has expired")
        # An uploaded file must never act as a page of this origin, which is the agent desk's.
        disposition = "inline" if media.content_type.startswith(SHOWN_INLINE) else "attachment"
        headers = CIMultiDict(
            {
                hdrs.CONTENT_TYPE: media.content_type,
                hdrs.CONTENT_SECURITY_POLICY: "sandbox; default-src 'none'",
                hdrs.CACHE_CONTROL: "private, no-store",
            }
        )
        answer = web.Response(body=media.content, headers=headers)
        name = "".join(char for char in media.filename or media.sid if char.isalnum() or char in " ._-") or media.sid
        answer.headers[hdrs.CONTENT_DISPOSITION] = f"{disposition}; filename*=UTF-8''{quote(name, safe='')}"
        return answer

    def _readable(self, sid: str, identity: str | None) -> Media | None:
        media = self.media.find(sid)
        return media if media and (identity is None or media.may_read(identity)) else None

    def _view(self, media: Media, request: web.Request) -> dict[str, Any]:
        path = f"/v1/Services/{CHAT_SERVICE_SID}/Media/{media.sid}"
        origin = f"{request.scheme}://{request.host}"
        return {
            "sid": media.sid,
            "account_sid": ACCOUNT_SID,
            "service_sid": CHAT_SERVICE_SID,
            "channel_sid": media.conversation.sid if media.conversation else None,
            "message_sid": None,
            "size": media.size,
            "content_type": media.content_type,
            "filename": media.filename,
            "category": media.category,
            "author": media.author,
            "date_created": seconds(media.created),
            "date_upload_updated": seconds(media.created),
            "date_updated": seconds(media.created),
            "is_multipart_upstream": False,
            "url": path,
            "links": {
                "content": f"{path}/Content",
                "content_direct_temporary": origin + self.media.temporary_path(media),
            },
        }


def _identity(request: web.Request) -> str | None:
    """Returns the identity of the access token, or None for the account itself by HTTP Basic. Raises TwilioError."""
    if basic_credentials(request):
        return None
    try:
        return verify(request.headers.get("X-Twilio-Token")).identity
    except TokenError as error:
        raise TwilioError(401, error.code, error.description) from error


async def read_content(source: web.Request | BodyPartReader) -> bytes:
    content = bytearray()
    while chunk := await (source.content.read(CHUNK) if isinstance(source, web.Request) else source.read_chunk(CHUNK)):
        content += chunk
        if len(content) > limits.MEDIA_SIZE:
            raise TwilioError(413, 20413, f"Media is larger than {limits.MEDIA_SIZE} bytes")
    return bytes(content)


async def _first_part(request: web.Request) -> tuple[bytes, str, str | None]:
    try:
        part = await (await request.multipart()).next()
    except (ValueError, AssertionError) as error:
        raise invalid("Malformed multipart body") from error
    if not isinstance(part, BodyPartReader):
        raise invalid("The form has no file")
    return await read_content(part), part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream"), part.filename
