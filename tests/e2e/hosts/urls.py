"""The site's addresses, `/host/<library>/<page>/` and the files of the libraries."""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONCE
from csp.decorators import csp_update
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from config.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

HERE = Path(__file__).resolve().parent
PACKAGES = HERE.parents[2] / "node_modules"
FILES = {
    "turbo.js": PACKAGES / "@hotwired/turbo/dist/turbo.es2017-umd.js",
    "htmx-2.js": PACKAGES / "htmx-2/dist/htmx.min.js",
    "htmx-4.js": PACKAGES / "htmx-4/dist/htmx.min.js",
    "bootstrap.css": PACKAGES / "bootstrap/dist/css/bootstrap.min.css",
    "tailwind.css": PACKAGES / "tailwindcss/preflight.css",
    "hostile.css": HERE / "hostile.css",
}


# Turbo styles its progress bar with an element, for which it knows the page's nonce.
@csp_update({"style-src": [NONCE]})
def host(request: HttpRequest, library: str, page: str) -> HttpResponse:
    """A page that navigates or looks as the library has it. "plain" has no chat, "inline" has it in the page,
    "both" has two launchers beside; `?webchat=` names another one."""
    names = [name for name in FILES if name.startswith(f"{library}.")]
    context = {
        "library": library,
        "page": page,
        "file": names[0] if names else "",
        "pages": ["one", "two", "plain", "inline", "both"],
        "slug": request.GET.get("webchat", "support"),
    }
    return render(request, "host.html", context)


def host_file(request: HttpRequest, name: str) -> FileResponse:
    kind = "text/javascript" if name.endswith(".js") else "text/css"
    return FileResponse(FILES[name].open("rb"), content_type=kind)


urlpatterns = [
    path("host/files/<str:name>", host_file, name="host-file"),
    path("host/<str:library>/<str:page>/", host, name="host"),
    *urlpatterns,
]
