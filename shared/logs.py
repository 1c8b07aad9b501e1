"""Structured logs: one JSON object a line, with run, scene and attempt wherever they are known."""

import logging
import sys
from typing import Any

import structlog


def get_logger(name: str) -> Any:
    """A logger that takes key words: `log.info("claim_granted", scene_id=...)`."""
    return structlog.get_logger(name)


def configure_logs(service: str, level: str = "info", *, pretty: bool | None = None) -> None:
    """Send this process's logs to stderr: JSON, or coloured lines where a person watches.

    Library logs pass through the same formatter from `warning` on.
    """
    pretty = sys.stderr.isatty() if pretty is None else pretty
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aio_pika", "aiormq", "websockets", "httpx", "alembic", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Every loss of the broker is already told once by the bus, with what happens next.
    for told in ("aiormq.connection", "aio_pika.channel", "aiormq.channel"):
        logging.getLogger(told).setLevel(logging.CRITICAL)
    structlog.contextvars.bind_contextvars(service=service)
