"""Request bodies within bounds: what is too large, too deep or not plain text is refused before anything reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from io import BytesIO
from typing import IO, Any, NoReturn

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser

from webchat.api.errors import error_response

View = Callable[..., HttpResponseBase]

BODY_MAX_BYTES = 32 * 1024
DEPTH_MAX = 6

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"


def bounded(view: View) -> View:
    """Refuses a body that is too large or neither JSON nor a form in UTF-8 by its headers, before anything, the CSRF
    check included, reads it. WSGI gives no more than the length that the client named; without one there is no body."""

    @wraps(view)
    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()):
            return error_response(request, 400, "invalid", _("The request cannot be read."))
        if len(length.lstrip("0")) > len(str(BODY_MAX_BYTES)) or int(length) > BODY_MAX_BYTES:
            return error_response(request, 413, "too_large", _("The request is too large."))
        charset = (request.content_params or {}).get("charset", "utf-8").lower()
        if int(length) and (request.content_type not in (JSON, FORM, MULTIPART) or charset not in ("utf-8", "utf8")):
            return error_response(request, 415, "unsupported_media_type", _("Send JSON or a form, in UTF-8."))
        request.upload_handlers = [NoFiles(request)]
        try:
            request.body  # noqa: B018  (kept: the CSRF check reads a multipart stream to its end)
        except UnreadablePostError:
            return error_response(request, 400, "invalid", _("The request cannot be read."))
        return view(request, *args, **kwargs)

    return dispatch


class NoFiles(FileUploadHandler):
    """Refuses a file where it begins: nothing of it is read or kept."""

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise BadRequest("Files are not accepted here.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> NoReturn:
        raise BadRequest("Files are not accepted here.")

    def file_complete(self, file_size: int) -> None:
        return None


class BoundedJSONParser(BaseParser):
    """A JSON object in UTF-8: no NUL, no lone surrogate, no NaN, no key twice, no nesting beyond DEPTH_MAX. A number
    is the text that it was written as: what is read as a number is rounded, or infinite, or slow."""

    media_type = JSON

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        body = stream.read()
        if _too_deep(body):
            raise ParseError(_("The JSON is nested too deeply."))
        try:
            data = json.loads(
                body.decode(), object_pairs_hook=_object, parse_constant=_no_constant, parse_int=str, parse_float=str
            )
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON in UTF-8.")) from error
        if not isinstance(data, dict):
            raise ParseError(_("The body must be a JSON object."))
        if not _is_sound(data):
            raise ParseError(_("The JSON has characters that no text may have."))
        return data


class BoundedFormParser(FormParser):
    """A form post, urlencoded in UTF-8, each name in it once."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return _sound_form(QueryDict(_text(stream.read()), encoding="utf-8"))


class BoundedMultiPartParser(MultiPartParser):
    """A form post of multipart parts in UTF-8, without files, each name in it once."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        _text(body)
        return _sound_form(super().parse(BytesIO(body), media_type, parser_context).data)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ParseError(_("The body is not a form in UTF-8.")) from error


def _sound_form(data: QueryDict) -> QueryDict:
    if any(len(values) > 1 for _name, values in data.lists()):
        raise ParseError(_("The form has a field twice."))
    if not _is_sound(data.dict()):
        raise ParseError(_("The form has characters that no text may have."))
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key stands twice")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _too_deep(body: bytes) -> bool:
    """Counts brackets outside of strings: the parser itself would recurse."""
    depth, in_string, escaped = 0, False, False
    for byte in body:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _is_sound(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_sound(key) and _is_sound(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_sound, value))
    return True
