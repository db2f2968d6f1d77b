"""What `make build` and collectstatic make of the chat's scripts and styles."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage

from config.storage import ModuleManifestStorage
from tests.support.site import ROOT, minify

MODULES = {
    "webchat/one.js": '// Why.\nimport { two } from "./chat/two.js";\nexport const one = two;\n',
    "webchat/chat/two.js": 'export const two = () => import("../three.js");\n',
    "webchat/three.js": "export const three = 3;\n",
    "webchat/panel.css": "/* Why. */\n.webchat .a {\n  inset: 0;\n}\n",
    "webchat/sdk/other.js": "// Somebody else's, and left alone.\n",
    "site/site.js": "// The site's own, and left alone.\n",
}


@pytest.fixture
def collect(tmp_path, settings):
    """Collects MODULES, whose minified form is their lines without comments."""
    settings.STATIC_ROOT, settings.MINIFIED = str(tmp_path / "root"), tmp_path / "minified"
    settings.MINIFIED.mkdir()
    source = FileSystemStorage(tmp_path / "source")
    for name, content in MODULES.items():
        for path in (Path(source.path(name)), tmp_path / "root" / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        less = "".join(line for line in content.splitlines(keepends=True) if not line.startswith(("//", "/*")))
        digest = hashlib.sha256(content.encode()).hexdigest()
        (settings.MINIFIED / digest).with_suffix(Path(name).suffix).write_text(less)

    def collect():
        storage = ModuleManifestStorage()
        found = list(storage.post_process({name: (source, name) for name in MODULES}))
        assert [one for *_names, one in found if isinstance(one, Exception)] == []
        return {name: (tmp_path / "root" / storage.hashed_files[name]).read_text() for name in MODULES}

    return collect


def test_our_modules_are_served_in_their_minified_form(collect):
    served = collect()
    assert "Why" not in served["webchat/one.js"]
    assert served["webchat/chat/two.js"].startswith("export const two")
    assert served["webchat/panel.css"] == ".webchat .a {\n  inset: 0;\n}\n"


def test_modules_import_each_other_under_their_hashed_names(collect):
    served = collect()
    assert "./chat/two.js" not in served["webchat/one.js"]
    assert "../three.js" not in served["webchat/chat/two.js"]


def test_the_files_of_others_are_left_alone(collect):
    served = collect()
    for name in ("webchat/sdk/other.js", "site/site.js"):
        assert served[name] == MODULES[name]


def test_collecting_again_gives_the_same_names(collect):
    assert collect() == collect()


def test_files_of_an_earlier_release_stay_beside_the_new_ones(collect, tmp_path, settings):
    collect()
    before = set((tmp_path / "root/webchat").glob("three.*.js"))
    changed = b"export const three = 4;\n"
    (tmp_path / "source/webchat/three.js").write_bytes(changed)
    (settings.MINIFIED / f"{hashlib.sha256(changed).hexdigest()}.js").write_bytes(changed)
    collect()
    after = set((tmp_path / "root/webchat").glob("three.*.js"))
    assert before < after


def test_a_source_that_changed_since_the_build_is_not_served_in_its_old_form(collect, tmp_path):
    collect()
    (tmp_path / "source/webchat/three.js").write_text("export const three = 4;\n")
    with pytest.raises(ImproperlyConfigured, match=r"webchat/three\.js is not minified: run make build"):
        collect()


def test_the_build_minifies_every_source_and_nothing_of_others(settings):
    minify()
    sources = [path for kind in ("*.js", "*.css") for path in (ROOT / "static/webchat").rglob(kind)]
    ours = [path for path in sources if path.parent.name not in ("sdk", "flex-ui")]
    assert len(ours) > 15
    built = {settings.MINIFIED / (hashlib.sha256(path.read_bytes()).hexdigest() + path.suffix) for path in ours}
    assert set(settings.MINIFIED.iterdir()) == built
    sizes = [len((settings.MINIFIED / path.name).read_bytes()) for path in built]
    assert sum(sizes) < 0.75 * sum(len(path.read_bytes()) for path in ours)
    texts = [path.read_text() for path in built]
    assert [text for text in texts if "/**" in text or "\n  " in text] == []


def test_styles_are_built_for_the_oldest_browsers(settings):
    """Those without nesting, and without (width <= …), would take no rule of ours."""
    minify()
    styles = [path.read_text() for path in settings.MINIFIED.glob("*.css")]
    assert ".webchat .webchat-launcher{" in "".join(styles)
    for style in styles:
        assert "&" not in style
        assert "<=" not in style
        depth = 0
        for brace in re.sub(r"@(media|keyframes|property)[^{]*{", "", style):
            depth += {"{": 1, "}": -1}.get(brace, 0)
            assert depth <= 1


def test_a_build_twice_gives_the_same_bytes(settings):
    minify()
    before = {path.name: path.read_bytes() for path in settings.MINIFIED.iterdir()}
    minify()
    assert {path.name: path.read_bytes() for path in settings.MINIFIED.iterdir()} == before
