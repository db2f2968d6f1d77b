"""Error reports without visitors' data, if a site has one made: Django's technical report, for its mails for example.

The log tells where something failed. A report adds names, of settings, cookies, fields and variables, and no value of
them: a value may be a visitor's answer. With DEBUG on, Django's own page shows everything.
"""

from __future__ import annotations

import re
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

STARS = SafeExceptionReporterFilter.cleansed_substitute


class ReportFilter(SafeExceptionReporterFilter):
    hidden_settings = re.compile(
        "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|DATABASE|EMAIL|CACHES|QUERY|REFERER|ORIGIN|ADDR|FORWARDED|SID",
        flags=re.IGNORECASE,
    )

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return dict.fromkeys(getattr(request, "COOKIES", {}), STARS)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        try:
            return dict.fromkeys(request.POST, STARS) if request else {}
        except (BadRequest, MultiPartParserError, OSError, SuspiciousOperation):  # as it may have failed before
            return {}

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        if not self.is_active(request):
            return super().get_traceback_frame_variables(request, tb_frame)
        return dict.fromkeys(tb_frame.f_locals, STARS).items()


class Reporter(ExceptionReporter):
    def get_traceback_data(self) -> dict[str, Any]:
        data = super().get_traceback_data()
        if settings.DEBUG:
            return data
        for frame in data["frames"]:
            if frame.get("exc_cause") is not None:
                frame["exc_cause"] = type(frame["exc_cause"]).__name__
        for name in ("exception_value", "exception_notes", "unicode_hint", "user_str"):
            if data.get(name):
                data[name] = STARS
        if self.request is not None:
            data["request_insecure_uri"] = self.request.path
            data["request_GET_items"] = dict.fromkeys(self.request.GET, STARS).items()
        return data
