"""The bare minimum over the same broker: take a message, publish the next one with confirm, acknowledge.

Run as a process of its own, one per queue: `python -m bench.raw_peer URL FROM TO`.
"""

import asyncio
import sys

import aio_pika


async def work(url: str, source: str, target: str) -> None:
    taking = await aio_pika.connect(url)
    giving = await aio_pika.connect(url)
    channel = await taking.channel(publisher_confirms=False)
    await channel.set_qos(prefetch_count=1)
    exchange = (await giving.channel(publisher_confirms=True, on_return_raises=True)).default_exchange
    queue = await channel.declare_queue(source, durable=True)
    async with queue.iterator() as deliveries:
        async for delivery in deliveries:
            message = aio_pika.Message(delivery.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, target, mandatory=True, timeout=5)
            await delivery.ack()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:4]))
