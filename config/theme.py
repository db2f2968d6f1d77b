"""The company's colour, as a stylesheet in which every text can be read."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured, ValidationError

from webchat.colours import contrast, ink_for, validate_colour

# WCAG 2.2, success criterion 1.4.3, for text of any size.
READABLE = 4.5
# The hardest backgrounds of site.css for text in the accent colour: the darkest light one, the lightest dark one.
LIGHT_SURFACE, DARK_SURFACE = "#efede6", "#1b2227"


def shade(colour: str, ink: str, share: float) -> str:
    """The #rrggbb colour, moved by the share (0 to 1) of the way to the ink."""
    channels = ((int(colour[i : i + 2], 16), int(ink[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in channels)


def readable_on(background: str, colour: str) -> str:
    """The colour itself, or its nearest shade that can be read as text on the background."""
    shades = (shade(colour, ink_for(background), step / 20) for step in range(21))
    return next(candidate for candidate in shades if contrast(candidate, background) >= READABLE)


class Theme(NamedTuple):
    css: str
    version: str


@lru_cache(maxsize=8)
def theme(colour: str) -> Theme:
    """The stylesheet for a #rrggbb colour, and a version that changes with it. Raises ImproperlyConfigured."""
    try:
        validate_colour(colour)
    except ValidationError as error:
        raise ImproperlyConfigured(f"COMPANY_COLOUR is {colour!r}. {error.message}") from error
    on_light, on_dark = readable_on(LIGHT_SURFACE, colour), readable_on(DARK_SURFACE, colour)
    css = (
        f":root{{--site-brand:{colour};--site-brand-ink:{ink_for(colour)};--site-accent:{on_light};"
        # For the administration, where people choose light or dark whatever their device says.
        f"--site-accent-on-light:{on_light};--site-accent-on-dark:{on_dark}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--site-accent:{on_dark}}}}}\n"
    )
    return Theme(css, hashlib.sha256(css.encode()).hexdigest()[:12])


def check_company_colour(**kwargs: object) -> list[CheckMessage]:
    try:
        theme(settings.COMPANY_COLOUR)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="Set it to the company's colour, like #0b5d4e.", id="site.E001")]
    return []
