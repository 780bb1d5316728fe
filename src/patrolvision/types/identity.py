"""What may be the name of a thing: an id or code that goes into rows, logs and addresses."""

from __future__ import annotations

import re

LONGEST_NAME = 200
_NAME = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{LONGEST_NAME}}}")


def is_name(text: str) -> bool:
    """Whether a text has 1 to LONGEST_NAME characters, no control character and no surrogate."""
    return _NAME.fullmatch(text) is not None
