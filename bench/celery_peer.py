"""The peer in Celery: what an image and its video are there, with tasks that do nothing."""

import os

from celery import Celery  # type: ignore[import-untyped,unused-ignore]

QUEUES = ("image", "video")

app = Celery("peer", broker=os.environ["PEER_AMQP_URL"], backend=os.environ["PEER_RESULTS_URL"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_track_started=True,
    task_routes={"peer.image": {"queue": "image"}, "peer.video": {"queue": "video"}},
    worker_hijack_root_logger=False,
)


@app.task(name="peer.image")  # type: ignore[untyped-decorator,unused-ignore]
def image(number: int) -> int:
    return number


@app.task(name="peer.video")  # type: ignore[untyped-decorator,unused-ignore]
def video(number: int) -> int:
    return number
