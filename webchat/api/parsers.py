"""Request bodies within bounds: what is too large, too deep or not plain JSON is refused before anything reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import IO, Any

from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser

from webchat.api.errors import error_response

View = Callable[..., HttpResponseBase]

BODY_MAX_BYTES = 32 * 1024
DEPTH_MAX = 6


def bounded(view: View) -> View:
    """Refuses a body over BODY_MAX_BYTES by its length, before anything, the CSRF check included, reads it. WSGI gives
    no more than the length that the client named."""

    @wraps(view)
    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > BODY_MAX_BYTES:
            return error_response(request, 413, "too_large", _("The request is too large."))
        return view(request, *args, **kwargs)

    return dispatch


class BoundedJSONParser(BaseParser):
    """A JSON object in UTF-8: no NUL, no lone surrogate, no NaN, no key twice, no nesting beyond DEPTH_MAX."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        body = stream.read()
        if _too_deep(body):
            raise ParseError(_("The JSON is nested too deeply."))
        try:
            data = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON in UTF-8.")) from error
        if not isinstance(data, dict):
            raise ParseError(_("The body must be a JSON object."))
        if not _is_sound(data):
            raise ParseError(_("The JSON has characters that no text may have."))
        return data


class BoundedFormParser(FormParser):
    """A form post, urlencoded in UTF-8."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        try:
            data = QueryDict(body.decode(), encoding="utf-8")
        except ValueError as error:
            raise ParseError(_("The body is not a form in UTF-8.")) from error
        return _sound_form(data)


class BoundedMultiPartParser(MultiPartParser):
    """A form post of multipart parts, without files."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        parsed = super().parse(stream, media_type, parser_context)
        if parsed.files:
            raise ParseError(_("Files are not accepted here."))
        return _sound_form(parsed.data)


def _sound_form(data: QueryDict) -> QueryDict:
    if not _is_sound(dict(data.lists())):
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
