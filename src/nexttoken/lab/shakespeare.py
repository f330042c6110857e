"""Tiny Shakespeare: a million characters of plays, fetched once, checked, and kept.

The text was put together by Andrej Karpathy for char-rnn (2015), and is what small character models are
usually measured on. It is not part of the course: only who asks for it needs a network, once.
"""

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
CHARACTERS = 1_115_394


class NotAtHand(RuntimeError):
    """The text is not kept here, and could not be fetched."""


def folder() -> Path:
    """Where it is kept: $NEXTTOKEN_CACHE, or else the user's own cache."""
    if named := os.environ.get("NEXTTOKEN_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexttoken"


def plays(url: str = URL, sha256: str = SHA256, seconds: float = 30.0) -> str:
    """The text: from the cache, or else from the network.

    Raises
    ------
    NotAtHand
        If it is not in the cache and cannot be fetched, or if it is not the text that was meant.
    """
    file = folder() / "tiny_shakespeare.txt"
    if file.is_file() and _is(file.read_bytes(), sha256):
        return file.read_text(encoding="utf-8")
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, OSError) as problem:
        raise NotAtHand(
            f"Tiny Shakespeare is not in {folder()}, and {url} cannot be reached ({problem}). "
            f"Bring the file there yourself as {file.name}, or go on without it."
        ) from problem
    if not _is(content, sha256):
        raise NotAtHand(
            f"{url} has sent {len(content):,} bytes that are not the text: their SHA-256 is "
            f"{hashlib.sha256(content).hexdigest()}, it should be {sha256}. Nothing was kept."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(file)
    return content.decode("utf-8")


def _is(content: bytes, sha256: str) -> bool:
    return hashlib.sha256(content).hexdigest() == sha256
