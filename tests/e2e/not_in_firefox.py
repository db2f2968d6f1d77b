"""Browser tests that do not run in Firefox, by name, and why. `BROWSER=firefox` runs all others there.

WebKit runs the tests that have the fixture `engine`: Playwright cannot drive WebKitGTK.
"""

from __future__ import annotations

SKIPPED: dict[str, set[str]] = {
    "Firefox makes no sound on a machine without a device for it": {
        "test_a_sound_that_was_switched_on_lasts_for_this_tab",
    },
    "Firefox lets a page that was loaded without cookies have them only when it is loaded anew": {
        "test_where_cookies_are_blocked_the_chat_says_what_to_allow",
    },
    "Firefox has the focus in its own buttons then, and Playwright does not bring it back": {
        "test_on_a_phone_the_panel_covers_the_page_and_keeps_the_focus",
    },
    "Playwright's tap makes no click there": {
        "test_a_phone_on_its_side_has_the_whole_screen_a_keyboard_of_its_own_and_back",
    },
    "Firefox has all forty messages there before the chat ends, and it is not known why": {
        "test_what_could_not_be_loaded_before_the_end_is_said",
    },
    "starts a Chromium of its own": {"test_a_page_from_the_back_forward_cache"},
}


def reason_to_skip(name: str) -> str | None:
    """For a test's name without parameters."""
    return next((reason for reason, names in SKIPPED.items() if name in names), None)
