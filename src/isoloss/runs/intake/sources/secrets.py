"""Addresses and messages of clients without the credentials in them: a terminal, a log and a saved
file are read by others.
"""

from __future__ import annotations

import os
import re

from isoloss.files import printable

#: What stands between // and the last @ before a slash: a user's name and password.
_USER = re.compile(r"//[^/\s'\"]*@")
_NAMED = re.compile(
    r"(?i)\b((?:\w*(?:password|passwd|token|secret|api_?key)|sslkey|pwd|sig)=)[^&\s#'\"]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")
#: Variables of the environment that hold credentials of the clients.
VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "WANDB_API_KEY", "HF_TOKEN",
)  # fmt: skip


def without_secrets(text: str) -> str:
    """The text with passwords, tokens and keys as "...", and control characters written out."""
    text = _USER.sub("//...@", text)
    text = _NAMED.sub(r"\1...", text)
    text = _BEARER.sub(r"\1 ...", text)
    for name in VARIABLES:
        value = os.environ.get(name, "")
        if len(value) > 3:
            text = text.replace(value, "...")
    return printable(" ".join(text.split()) if "\n" in text else text)
