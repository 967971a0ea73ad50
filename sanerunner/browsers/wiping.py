"""Wipes a Chromium context that Playwright drives, so that the next test can have it as new.

Making a context and a page takes as long as several tests of a page do. So one in which nothing
was done but what can be undone for certain is used again. What a test has called tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

WIPE_TIMEOUT = 2_000  # milliseconds: a page that does not answer by then is not worth it

# Classes whose methods do nothing but what a user would do in a page, or read.
_HARMLESS = {
    "ConsoleMessage",
    "Dialog",
    "ElementHandle",
    "EventContextManager",
    "EventInfo",
    "Frame",
    "FrameLocator",
    "JSHandle",
    "Locator",
    "LocatorAssertions",
    "PageAssertions",
    "Request",
    "Response",
    "WebError",
}
_HARMLESS_METHODS = {
    "BrowserContext": {
        "add_cookies",
        "clear_cookies",
        "cookies",
        "expect_page",
        "pages",
        "storage_state",
    },
    "Keyboard": {"insert_text", "press", "type"},
    "Mouse": {"click", "dblclick", "move", "wheel"},
    "Page": {
        "add_script_tag",
        "add_style_tag",
        "bring_to_front",
        "check",
        "click",
        "content",
        "context",
        "dblclick",
        "dispatch_event",
        "drag_and_drop",
        "eval_on_selector",
        "eval_on_selector_all",
        "evaluate",
        "evaluate_handle",
        "fill",
        "focus",
        "frame",
        "frame_locator",
        "frames",
        "go_back",
        "go_forward",
        "goto",
        "hover",
        "inner_html",
        "inner_text",
        "input_value",
        "keyboard",
        "locator",
        "main_frame",
        "mouse",
        "press",
        "query_selector",
        "query_selector_all",
        "reload",
        "screenshot",
        "select_option",
        "set_checked",
        "set_content",
        "set_input_files",
        "text_content",
        "title",
        "type",
        "uncheck",
        "url",
        "viewport_size",
    },
}
_HARMLESS_STARTS = ("expect_", "get_", "is_", "wait_for_")


def can_be_undone(calls: Iterable[tuple[str, str]]) -> bool:
    """Whether a test with these calls, of classes and names, has done nothing but what ``wipe``
    undoes.
    """
    return all(
        owner in _HARMLESS
        or name in _HARMLESS_METHODS.get(owner, ())
        or (owner == "Page" and name.startswith(_HARMLESS_STARTS))
        for owner, name in calls
    )


def wipe(context: Any, page: Any) -> bool:
    """Remove what pages have left in ``context``, which has to have no other page than ``page``;
    return whether all of it is gone.
    """
    if context.pages != [page] or page.is_closed() or "@" in page.url:
        return False
    try:
        page.goto("about:blank", timeout=WIPE_TIMEOUT)  # nothing else has a time limit
        session = context.new_cdp_session(page)
        try:
            if context.pages != [page]:  # one that has just been opened
                return False
            session.send("Network.clearBrowserCookies")
            session.send("Network.clearBrowserCache")
            everything = {"origin": "*", "storageTypes": "all"}
            session.send("Storage.clearDataForOrigin", everything)
            page.evaluate("window.name = ''")
            session.send("Page.resetNavigationHistory")
        finally:
            session.detach()
    except Exception:  # the page hangs, the browser has crashed
        return False
    return True
