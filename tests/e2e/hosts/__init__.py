"""Pages as other people's sites have them, with `{% webchat %}` in them: beside the site's own, for the browser tests."""
