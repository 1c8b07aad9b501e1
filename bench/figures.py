"""What is measured, what it should be, and the table that shows both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it was taken from."""

    key: str
    value: float
    unit: str
    samples: Sequence[float] = ()  #: raw, in the unit of the value
    detail: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "value": round(self.value, 4),
            "unit": self.unit,
            "quantiles": {name: round(value, 4) for name, value in quantiles(self.samples).items()},
            "samples": [round(sample, 4) for sample in self.samples],
            **self.detail,
        }


@dataclass(frozen=True, slots=True)
class Aim:
    text: str
    met: Callable[[Values], bool]
    needs: tuple[str, ...] = ()  #: other figures of the same run


def at_most(key: str, limit: float) -> Aim:
    return Aim(f"<= {limit:g}", lambda values: values[key] <= limit)


def at_least(key: str, limit: float) -> Aim:
    return Aim(f">= {limit:g}", lambda values: values[key] >= limit)


def times(key: str, factor: float, peer: str) -> Aim:
    return Aim(f">= {factor:g} x {peer}", lambda values: values[key] >= factor * values[peer], (peer,))


STEP_MS = 20.0  #: of the scripted generator: it looks once a step whether it should stop

AIMS: dict[str, tuple[Aim, ...]] = {
    "handover_ms_p50": (at_most("handover_ms_p50", 12),),
    "handover_postgres_ms_p50": (at_most("handover_postgres_ms_p50", 18),),
    "scenes_per_s": (
        times("scenes_per_s", 1.5, "celery_scenes_per_s"),
        times("scenes_per_s", 0.2, "raw_scenes_per_s"),
    ),
    "efficiency": (at_least("efficiency", 0.98),),
    "scaling_2": (at_least("scaling_2", 0.97),),
    "scaling_4": (at_least("scaling_4", 0.97),),
    "accept_ms": (at_most("accept_ms", 1000),),
    "snapshot_ms": (at_most("snapshot_ms", 500),),
    "cancel_answer_ms": (at_most("cancel_answer_ms", 100),),
    "cancel_queue_ms": (at_most("cancel_queue_ms", 500),),
    "cancel_stop_ms": (at_most("cancel_stop_ms", STEP_MS),),
    "event_ms_p50": (at_most("event_ms_p50", 20),),
    "event_ms_p99": (at_most("event_ms_p99", 60),),
    "diffusers_overhead": (at_most("diffusers_overhead", 1.02),),
    "diffusers_overhead_tiny": (at_most("diffusers_overhead_tiny", 1.02),),
    "image_tail_ms": (at_most("image_tail_ms", 60),),
    "video_tail_ms": (at_most("video_tail_ms", 1000),),
    "rss_growth": (at_most("rss_growth", 0.05),),
    "page_js_kb": (at_most("page_js_kb", 200),),
    "page_usable_ms": (at_most("page_usable_ms", 1000),),
    "page_event_ms_p95": (at_most("page_event_ms_p95", 100),),
    "page_axe_findings": (at_most("page_axe_findings", 0),),
}


def quantile(samples: Sequence[float], q: float) -> float:
    """The smallest sample that is not less than the share `q` of all."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def quantiles(samples: Sequence[float]) -> dict[str, float]:
    if not samples:
        return {}
    wanted = {"min": 0.0, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: quantile(samples, q) for name, q in wanted.items()}


def judge(values: Values, key: str) -> tuple[str, str]:
    """The aim in words, and yes, no, or nothing where there is no aim or a peer is missing."""
    aims = AIMS.get(key, ())
    text = ", ".join(aim.text for aim in aims)
    if not aims or any(need not in values for aim in aims for need in aim.needs):
        return text, ""
    return text, "yes" if all(aim.met(values) for aim in aims) else "NO"


def table(figures: Sequence[Figure]) -> str:
    values = {figure.key: figure.value for figure in figures}
    rows = [("key", "measured", "aim", "ok")]
    for figure in figures:
        rows.append((figure.key, f"{figure.value:.4g} {figure.unit}".strip(), *judge(values, figure.key)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
