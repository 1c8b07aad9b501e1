"""What a caller can do wrong, each with the words for it."""

from uuid import UUID


class NotFound(Exception):
    """There is no such thing, or it was deleted."""

    def __init__(self, what: str, wanted: object) -> None:
        super().__init__(f"There is no {what} {wanted}.")


class BadField(Exception):
    """One field of the request cannot be; nothing was changed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Conflict(Exception):
    """The request is fine, but not now; nothing was changed."""

    def __init__(self, message: str, *, run_id: UUID | None = None) -> None:
        super().__init__(message)
        self.run_id = run_id  #: the run that is in the way
