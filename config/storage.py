"""Static files under hashed names, compressed; the chat's own scripts and styles minified, module by module."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from re import Match
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from whitenoise.storage import CompressedManifestStaticFilesStorage

# Whole, as Twilio made it: its checksum is known, and it names a source map that nobody has.
_AS_IT_IS = "webchat/flex-ui/"


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """Serves what stands in static/webchat, less what only its readers need: comments, indentation, long local names,
    a third of what a visitor loads. `make build` minified the files (webchat/browser/minify.mjs)."""

    # Without it a cached old module could import a new one under its plain name.
    support_js_module_import_aggregation = True

    def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Callable[[Match[str]], str]:
        if name.startswith(_AS_IT_IS):
            return lambda match: str(match["matched"])
        converter: Callable[[Match[str]], str] = super().url_converter(name, *args, **kwargs)
        return converter

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Raises ImproperlyConfigured for a source that was not minified since it was changed."""
        ours = [name for name in paths if _is_ours(name)]
        for name in [] if dry_run else ours:
            storage, path = paths[name]
            with storage.open(path) as source:
                Path(self.path(name)).write_bytes(_minified(name, source.read()))
        paths = {**paths, **{name: (self, name) for name in ours}}
        yield from super().post_process(paths, dry_run, **options)  # type: ignore[no-untyped-call]


def _is_ours(name: str) -> bool:
    of_others = name.startswith(("webchat/sdk/", _AS_IT_IS))
    return name.startswith("webchat/") and name.endswith((".js", ".css")) and not of_others


def _minified(name: str, source: bytes) -> bytes:
    file = Path(settings.MINIFIED) / (hashlib.sha256(source).hexdigest() + PurePosixPath(name).suffix)
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise ImproperlyConfigured(f"{name} is not minified: run make build, then collectstatic again.") from error
