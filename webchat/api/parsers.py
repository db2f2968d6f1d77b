"""Request bodies within bounds: what is too large or not plain text is refused before anything reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from io import BytesIO
from typing import IO, Any, NoReturn

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser

from webchat.api.errors import error_response
from webchat.errors import ChatRefused, Code

View = Callable[..., HttpResponseBase]

BODY_MAX_BYTES = 32 * 1024
# What no text in a database may hold: NUL, and halves of a UTF-16 pair.
_UNSOUND = re.compile("[\x00\ud800-\udfff]")

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"


def bounded(view: View) -> View:
    """Refuses a body that is too large or neither JSON nor a form in UTF-8 by its headers, before anything, the CSRF
    check included, reads it. WSGI gives no more than the length that the client named; without one there is no body."""

    @wraps(view)
    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return error_response(request, Code.UNREADABLE)
        if length > BODY_MAX_BYTES:
            return error_response(request, Code.TOO_LARGE)
        charset = (request.content_params or {}).get("charset", "utf-8").lower()
        if length and (request.content_type not in (JSON, FORM, MULTIPART) or charset not in ("utf-8", "utf8")):
            return error_response(request, Code.UNSUPPORTED_MEDIA_TYPE)
        request.upload_handlers = [NoFiles(request)]
        try:
            request.body  # noqa: B018  (kept: the CSRF check reads a multipart stream to its end)
        except UnreadablePostError:
            return error_response(request, Code.UNREADABLE)
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
    """A JSON object in UTF-8, without NaN, a key twice, and NUL or a lone surrogate in keys and texts. A number is the
    text that it was written as: what is read as a number is rounded, or infinite, or slow. What is null is left out.
    Raises ParseError, and ChatRefused(INVALID) at the fields whose value is a list or an object."""

    media_type = JSON

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        body = stream.read()
        try:
            data = json.loads(
                body.decode(), object_pairs_hook=_object, parse_constant=_no_constant, parse_int=str, parse_float=str
            )
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON in UTF-8.")) from error
        if not isinstance(data, dict):
            raise ParseError(_("The body must be a JSON object."))
        if not _are_sound([*data, *data.values()]):
            raise ParseError(_("The JSON has characters that no text may have."))
        return _as_texts(data)


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
    if not _are_sound([*data, *data.values()]):
        raise ParseError(_("The form has characters that no text may have."))
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key stands twice")
    return data


def _as_texts(data: dict[str, Any]) -> dict[str, Any]:
    """The body as a form takes it. No answer is a list or an object."""
    answers = {name: value for name, value in data.items() if value is not None}
    if nested := [name for name, value in answers.items() if isinstance(value, dict | list)]:
        not_a_text = [gettext("An answer is a text, a number, true or false.")]
        raise ChatRefused(Code.INVALID, fields={name[:40]: not_a_text for name in nested})
    return answers


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _are_sound(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, str) and _UNSOUND.search(value) for value in values)
