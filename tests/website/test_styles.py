"""The chat's stylesheets take spaces, radii, text sizes and colours from the tokens, and none of their own."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

FOLDER = settings.BASE_DIR / "static/webchat/css"
SPACE = r"var\(--webchat-(space-[1-6]|gap)\)"
RADIUS = r"var\(--webchat-radius(-[sl])?\)"
# What is left of a value of each kind when the tokens are taken out of it.
SCALES = [
    (r"(row-|column-)?gap|padding.*|margin.*", rf"(calc\(-1 \* {SPACE}\)|{SPACE}|env\([\w-]+\)|calc\(|[()+ ]|auto|-1px|\b0\b|0\.125em)*"),
    (r"border-.*radius|border-radius", rf"({RADIUS}|calc\(0\.5 \* {RADIUS}\)|50%|0)"),
    (r"font-size", r"(var\(--webchat-text-[sml]\)|calc\(2 \* var\(--webchat-text-l\)\)|max\(var\(--webchat-text-m\), 16px\)|medium|0\.8em)"),
    (r".*color|background|outline|border(-(block|inline)-(start|end))?", r"(?!.*(#[0-9a-f]{3,8}\b|rgb\((?!255 255 255 / 45%))).*"),
]  # fmt: skip


def declarations(name: str) -> list[tuple[str, str]]:
    text = re.sub(r"/\*.*?\*/", "", (FOLDER / name).read_text(), flags=re.DOTALL)
    return re.findall(r"^\s*([a-z-]+):\s*([^;{}]+);", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["launcher.css", "form.css", "chat.css"])
def test_every_measure_is_on_the_scale(name: str) -> None:
    found = declarations(name)
    assert len(found) > 60
    off = [
        f"{property}: {value}"
        for property, value in found
        for kind, allowed in SCALES
        if re.fullmatch(kind, property) and not re.fullmatch(allowed, value)
    ]
    assert off == []


def test_the_scale_has_six_spaces_three_radii_and_three_sizes_of_text() -> None:
    tokens = set(re.findall(r"^  --webchat-([a-z0-9-]+):", (FOLDER / "tokens.css").read_text(), re.MULTILINE))
    assert {one for one in tokens if one.startswith("space")} == {f"space-{number}" for number in range(1, 7)}
    assert {one for one in tokens if one.startswith("radius")} == {"radius", "radius-s", "radius-l"}
    assert {one for one in tokens if one.startswith("text")} == {"text-s", "text-m", "text-l"}
    used = set(re.findall(r"var\(--webchat-([a-z0-9-]+)", "".join(path.read_text() for path in FOLDER.iterdir())))
    assert tokens <= used
    assert used - tokens == {"brand", "brand-ink", "viewport", "viewport-top"}
