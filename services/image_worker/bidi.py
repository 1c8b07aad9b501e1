"""Right-to-left text: the Unicode bidirectional algorithm (UAX 9), for text without embedding controls.

Own code, because a line mixes faces: each run is shaped alone, so the order of the runs must be known first.
"""

import unicodedata

_STRONG = {"L": 0, "R": 1, "AL": 1}
_NEUTRAL = {"B", "S", "WS", "ON", "BN"}


def is_rtl(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left."""
    return next((_STRONG[k] == 1 for k in map(unicodedata.bidirectional, text) if k in _STRONG), False)


def levels(text: str, rtl: bool) -> list[int]:
    """Embedding level of each character: even runs left to right, odd right to left."""
    base = 1 if rtl else 0
    kinds = [unicodedata.bidirectional(c) or "L" for c in text]
    _resolve_weak(kinds, "R" if rtl else "L")
    _resolve_neutral(kinds, "R" if rtl else "L")
    return [_level(kind, base) for kind in kinds]


def visual(row: list[int]) -> list[tuple[int, int, bool]]:
    """Runs of one line from left to right as (start, end, right to left)."""
    runs: list[tuple[int, int, int]] = []
    start = 0
    for i in range(1, len(row) + 1):
        if i == len(row) or row[i] != row[start]:
            runs.append((start, i, row[start]))
            start = i
    for level in range(max(row, default=0), 0, -1):
        i = 0
        while i < len(runs):
            end = i
            while end < len(runs) and runs[end][2] >= level:
                end += 1
            runs[i:end] = runs[i:end][::-1]
            i = max(end, i + 1)
    return [(first, last, level % 2 == 1) for first, last, level in runs]


def _level(kind: str, base: int) -> int:
    if base == 0:
        return {"R": 1, "AN": 2, "EN": 2}.get(kind, 0)
    return 1 if kind == "R" else 2


def _resolve_weak(kinds: list[str], base: str) -> None:
    """Rules W1 to W7: marks follow their letter, numbers learn which script they stand in."""
    previous, strong = base, base
    for i, kind in enumerate(kinds):
        if kind == "NSM":
            kinds[i] = kind = previous
        if kind in _STRONG:
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[i] = "AN"
        previous = kinds[i]
    _resolve_separators(kinds)
    strong = base
    for i, kind in enumerate(kinds):
        if kind == "AL":
            kinds[i] = "R"
        if kind in _STRONG:
            strong = kinds[i]
        elif kind == "EN" and strong == "L":
            kinds[i] = "L"


def _resolve_separators(kinds: list[str]) -> None:
    for i in range(1, len(kinds) - 1):
        around = kinds[i - 1]
        if around == kinds[i + 1] and (
            (kinds[i] == "CS" and around in {"EN", "AN"}) or (kinds[i] == "ES" and around == "EN")
        ):
            kinds[i] = around
    for step in (1, -1):  # percent signs and currency beside a number belong to it
        order = range(len(kinds)) if step == 1 else range(len(kinds) - 1, -1, -1)
        for i in order:
            before = i - step
            if kinds[i] == "ET" and 0 <= before < len(kinds) and kinds[before] == "EN":
                kinds[i] = "EN"
    for i, kind in enumerate(kinds):
        if kind in {"ES", "ET", "CS"}:
            kinds[i] = "ON"


def _resolve_neutral(kinds: list[str], base: str) -> None:
    """Rules N1 and N2: spaces and punctuation take the direction they stand between."""
    i = 0
    while i < len(kinds):
        if kinds[i] not in _NEUTRAL:
            i += 1
            continue
        end = i
        while end < len(kinds) and kinds[end] in _NEUTRAL:
            end += 1
        left = _side(kinds[i - 1]) if i else base
        right = _side(kinds[end]) if end < len(kinds) else base
        kinds[i:end] = [left if left == right else base] * (end - i)
        i = end


def _side(kind: str) -> str:
    return "R" if kind in {"EN", "AN"} else kind
