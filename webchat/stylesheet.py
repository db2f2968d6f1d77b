"""The stylesheet of a page view: the launcher's rules, followed by the webchat's brand colour, in one request.

The strict Content-Security-Policy allows no style attribute for the colour, and a stylesheet of its own would cost each
page view one more request.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import brotli
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage

from webchat.colours import ink_for

SOURCES = ("webchat/css/tokens.css", "webchat/css/launcher.css")


class Stylesheet(NamedTuple):
    css: bytes
    version: str  # changes with the bytes

    def encoded(self, accepted: str) -> tuple[bytes, str]:
        """The bytes to send to a browser with that Accept-Encoding header, and their encoding, "" for none."""
        for encoding in ("br", "gzip"):
            if re.search(rf"\b{encoding}\b", accepted):
                return _compress(self.css, encoding), encoding
        return self.css, ""


def stylesheet(slug: str, brand_colour: str) -> Stylesheet:
    """Returns the stylesheet of a webchat, by its slug and its brand colour as #rrggbb."""
    # In development the sources are read each time, so that a change shows at once.
    return _put_together(slug, brand_colour) if settings.DEBUG else _kept(slug, brand_colour)


def _put_together(slug: str, brand_colour: str) -> Stylesheet:
    # :where() has no specificity: a site's own "web-chat { … }" overrides these properties.
    brand = (
        f':where(web-chat[slug="{slug}"])'
        f"{{--webchat-brand:{brand_colour};--webchat-brand-ink:{ink_for(brand_colour)}}}\n"
    )
    css = b"".join([*map(_read, SOURCES), brand.encode()])
    return Stylesheet(css, hashlib.sha256(css).hexdigest()[:12])


_kept = lru_cache(maxsize=64)(_put_together)


def _read(name: str) -> bytes:
    """A static file as collectstatic left it: minified; its source in development and where nothing is collected."""
    collected = _collected_name(name)
    if not settings.DEBUG and staticfiles_storage.exists(collected):
        with staticfiles_storage.open(collected) as file:
            return bytes(file.read())
    found = finders.find(name)
    if found is None:
        raise FileNotFoundError(name)
    return Path(found).read_bytes()


def _collected_name(name: str) -> str:
    """With its hash, where collectstatic gives names hashes: the file may be there under that name alone."""
    if isinstance(staticfiles_storage, ManifestFilesMixin):
        return str(staticfiles_storage.hashed_files.get(staticfiles_storage.hash_key(name), name))
    return name


@lru_cache(maxsize=64)
def _compress(css: bytes, encoding: str) -> bytes:
    return brotli.compress(css) if encoding == "br" else gzip.compress(css, 9, mtime=0)
