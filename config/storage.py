"""Static files under hashed names, compressed; the chat's own scripts and styles minified, module by module."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from re import Match
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from whitenoise.storage import CompressedManifestStaticFilesStorage

_FOLDER = "webchat/"
_BUNDLE = "webchat/sdk/"
# Whole, as Twilio made it: its checksum is known, and it names a source map that nobody has.
_AS_IT_IS = "webchat/flex-ui/"


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """What is written in static/webchat is what runs, less what only its readers need: comments, indentation, long local
    names, a third of what a visitor loads. esbuild parses the files for that; it is there already, for the SDK."""

    # Without it a cached old module could import a new one under its plain name.
    support_js_module_import_aggregation = True

    def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Callable[[Match[str]], str]:
        if name.startswith(_AS_IT_IS):
            return lambda match: str(match["matched"])
        converter: Callable[[Match[str]], str] = super().url_converter(name, *args, **kwargs)
        return converter

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        ours = [
            name
            for name in paths
            if name.startswith(_FOLDER) and not name.startswith((_BUNDLE, _AS_IT_IS)) and name.endswith((".js", ".css"))
        ]
        if ours and not dry_run:
            self._minify(ours)
            paths = {**paths, **{name: (self, name) for name in ours}}
        yield from super().post_process(paths, dry_run, **options)  # type: ignore[no-untyped-call]

    def _minify(self, names: list[str]) -> None:
        """Rewrites the collected copies. Raises ImproperlyConfigured without esbuild."""
        esbuild = next(settings.BASE_DIR.glob("node_modules/@esbuild/*/bin/esbuild"), None)
        if esbuild is None:
            raise ImproperlyConfigured("esbuild is missing: run npm ci --ignore-scripts, then collectstatic again.")
        # No tsconfig.json: wherever STATIC_ROOT is, the bytes and thus the names are the same.
        flags = ["--minify", "--charset=utf8", "--tsconfig-raw={}", "--log-level=error", "--allow-overwrite"]
        subprocess.run(  # noqa: S603
            [
                esbuild,
                *flags,
                f"--outbase={self.path(_FOLDER)}",
                f"--outdir={self.path(_FOLDER)}",
                *(self.path(name) for name in names),
            ],
            check=True,
        )
