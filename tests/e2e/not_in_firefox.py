"""Browser tests that do not run in Firefox, by name, and why. `BROWSER=firefox` runs all others there.

Each of SKIPPED needs something of Playwright that it cannot do with a Firefox of the distribution; none is a fault of the
chat. WebKit runs the tests that have the fixture `engine`: Playwright cannot drive WebKitGTK.
"""

from __future__ import annotations

SKIPPED = {
    "Playwright cannot fetch a request there and change its answer": {
        "test_a_lost_answer_makes_no_second_channel",
        "test_a_sleep_past_the_end_of_the_token",
        "test_a_token_that_is_refused_at_the_start_is_renewed_once",
        "test_the_token_runs_out_and_no_other_is_given",
    },
    "Playwright cannot go back there within a page": {
        "test_a_phone_on_its_side_has_the_whole_screen_a_keyboard_of_its_own_and_back",
        "test_on_a_phone_the_list_leads_to_the_chat_and_back",
    },
    "Playwright does not say there what a request carries": {
        "test_a_form_that_grew_stale_is_renewed_under_what_was_typed",
        "test_the_agent_ends",
    },
    "Playwright is not told there of a file that is saved": {
        "test_the_agent_completes_while_the_visitor_types",
        "test_the_conversation_can_be_taken_along_after_its_end",
        "test_the_conversation_can_be_taken_along_while_it_runs",
        "test_what_could_not_be_loaded_before_the_end_is_said",
    },
    "Playwright does not say there which WebSockets are open": {"test_a_running_chat_goes_along"},
    "Playwright cannot take the network away there": {
        "test_no_network_is_said_and_nothing_is_lost",
        "test_offline_is_said",
        "test_what_is_written_offline_goes_out_once",
    },
    "Firefox makes no sound on a machine without a device for it": {
        "test_a_sound_that_was_switched_on_lasts_for_this_tab",
    },
    "starts a Chromium of its own": {"test_a_page_from_the_back_forward_cache"},
    "Firefox has the focus in its own buttons then, and Playwright does not bring it back": {
        "test_on_a_phone_the_panel_covers_the_page_and_keeps_the_focus",
    },
    "Firefox tells of a script that did not come as of an error in the page": {
        "test_another_file_in_its_place_never_runs",
        "test_without_its_file_our_own_launcher_is_there",
        "test_without_the_launchers_script_its_link_leads_to_the_chat",
    },
    "asks for Chromium's own protocol": {
        "test_no_long_task_before_the_click",
    },
}


def reason_to_skip(name: str) -> str | None:
    """For a test's name without parameters."""
    return next((reason for reason, names in SKIPPED.items() if name in names), None)
