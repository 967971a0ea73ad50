"""Mail that the site has sent, as JSON."""

from __future__ import annotations

from typing import Any

from django.core import mail


def messages() -> list[dict[str, Any]]:
    """Return what was sent since the last reset, the oldest first."""
    return [_message(each) for each in list(getattr(mail, "outbox", ()))]


def _message(message: Any) -> dict[str, Any]:
    alternatives = [
        {"content": str(content), "mimetype": mimetype}
        for content, mimetype in getattr(message, "alternatives", None) or ()
    ]
    html = [each["content"] for each in alternatives if each["mimetype"] == "text/html"]
    if not html and message.content_subtype == "html":
        html = [message.body]
    return {
        "subject": str(message.subject),
        "body": str(message.body),
        "html": html[0] if html else None,
        "from": message.from_email,
        "to": list(message.to),
        "cc": list(message.cc),
        "bcc": list(message.bcc),
        "reply_to": list(message.reply_to),
        "headers": {name: str(value) for name, value in message.extra_headers.items()},
        "alternatives": alternatives,
        "attachments": [_attachment(each) for each in message.attachments],
    }


def _attachment(attachment: Any) -> dict[str, Any]:
    """``attachment`` is a tuple of name, content and type, or a part of a MIME message."""
    if isinstance(attachment, tuple):
        name, content, mimetype = attachment
        size = len(content.encode() if isinstance(content, str) else content)
    else:
        name, mimetype = attachment.get_filename(), attachment.get_content_type()
        payload = attachment.get_payload(decode=True)
        size = len(payload) if isinstance(payload, bytes) else 0
    return {"filename": name, "mimetype": mimetype, "size": size}  # size: bytes
