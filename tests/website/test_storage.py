"""What collectstatic makes of the chat's scripts and styles."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage

from config.storage import ModuleManifestStorage

MODULES = {
    "webchat/one.js": (
        '// Why.\nimport { two } from "./two.js";\n\n/** @import {Thing} from "./types.js" */\n\n'
        "export function longName(localName) {\n  /* How. */\n  return two(localName, `a  b\n// ${localName}`, /[/*]/);\n}\n"
    ),
    "webchat/two.js": 'export const two = () => import("./three.js");\n',
    "webchat/three.js": "export const three = 3;\n",
    "webchat/room/four.js": '// Why.\nimport { one } from "../one.js";\n\nexport const four = one;\n',
    "webchat/panel.css": "/* Why. */\n.webchat .a {\n  inset: 0;\n}\n",
    "webchat/sdk/other.js": "// Somebody else's, and left alone.\n",
    "site/site.js": "// The site's own, and left alone.\n",
}


@pytest.fixture
def collect(tmp_path, settings):
    settings.STATIC_ROOT = str(tmp_path / "root")
    source = FileSystemStorage(tmp_path / "source")
    storage = ModuleManifestStorage()

    def collect():
        for name, content in MODULES.items():
            for place in (source, storage):
                path = (tmp_path / ("source" if place is source else "root")) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        found = list(storage.post_process({name: (source, name) for name in MODULES}))
        assert [one for *_names, one in found if isinstance(one, Exception)] == []
        return {name: (tmp_path / "root" / storage.hashed_files[name]).read_text() for name in MODULES}

    return collect


def test_our_modules_lose_what_only_their_readers_need(collect):
    served = collect()
    one = served["webchat/one.js"]
    assert "Why" not in one
    assert "How" not in one
    assert "localName" not in one
    assert "longName" in one
    assert "a  b\n// ${" in one  # a text is no comment
    assert "/[/*]/" in one
    assert served["webchat/panel.css"] == ".webchat .a{inset:0}\n"


def test_modules_import_each_other_under_their_hashed_names(collect):
    served = collect()
    assert "./two.js" not in served["webchat/one.js"]
    assert "./three.js" not in served["webchat/two.js"]
    assert "../one.js" not in served["webchat/room/four.js"]
    assert "Why" not in served["webchat/room/four.js"]
    assert "types" not in served["webchat/one.js"]


def test_the_files_of_others_are_left_alone(collect):
    served = collect()
    for name in ("webchat/sdk/other.js", "site/site.js"):
        assert served[name] == MODULES[name]


def test_collecting_again_gives_the_same_names(collect):
    assert collect() == collect()


def test_without_esbuild_collecting_says_what_to_do(collect, settings, tmp_path):
    settings.BASE_DIR = tmp_path
    with pytest.raises(ImproperlyConfigured, match="npm ci"):
        collect()
