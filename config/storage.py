"""Static files under hashed names, compressed, with the imports between our ES modules rewritten to those names."""

from __future__ import annotations

from collections.abc import Callable
from re import Match
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

# Whole, as Twilio made it: its checksum is known, and it names a source map that nobody has.
_AS_IT_IS = "webchat/flex-ui/"


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    # Without it a cached old module could import a new one under its plain name.
    support_js_module_import_aggregation = True

    def url_converter(self, name: str, *args: Any, **kwargs: Any) -> Callable[[Match[str]], str]:
        """Leaves the imports of types alone that stand in JSDoc comments: they name modules that nobody loads."""
        convert = super().url_converter(name, *args, **kwargs)
        if name.startswith(_AS_IT_IS):
            return lambda match: str(match["matched"])

        def outside_comments(match: Match[str]) -> str:
            line = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()].lstrip()
            in_comment = name.endswith(".js") and line.startswith(("*", "/*", "//"))
            return str(match["matched"] if in_comment else convert(match))

        return outside_comments
