"""Contrast of the brand colour, by WCAG 2.2's definitions of relative luminance and contrast ratio."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

BLACK, WHITE = "#000000", "#ffffff"

validate_colour = RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", _("Write the colour as # and six hex digits, like #0b5d4e."))


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two #rrggbb colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink_for(background: str) -> str:
    """Black or white, whichever reads better on the colour. The better one always reaches 4.5:1."""
    return max((WHITE, BLACK), key=lambda ink: contrast(background, ink))
