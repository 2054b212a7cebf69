#!/usr/bin/env python3
"""tests/load/timeouts.py [--reads 1000] [--limit 1000] [--late 10] [--binary PATH]

Hosts of S3 that hang: at the connection, in the TLS handshake, before the first byte, in the middle of a body. Of so many
reads each ends by the time-out that it is for, in ms, and at most so many percent later. Then the proxy holds no file more
than before.
"""
import argparse, tempfile
from harness import *

AT_ONCE = 50
LONG = 60_000


class Hanging(asyncio.Protocol):
    """Reads, and says so much for each request."""

    def __init__(self, answer):
        self.answer = answer

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if data.endswith(b"\r\n\r\n") and self.answer:
            self.transport.write(self.answer)


def run_hosts(ports_to):
    raise_file_limit()

    async def run():
        loop, ports = asyncio.get_running_loop(), []
        for answer in [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + whole(0, 1000)]:
            server = await loop.create_server(lambda answer=answer: Hanging(answer), "127.0.0.1", 0, backlog=4096)
            ports.append(server.sockets[0].getsockname()[1])
        ports_to.put(ports)
        await asyncio.sleep(math.inf)

    asyncio.run(run())


def dig():
    """A port that answers no SYN: as many connections wait there to be accepted as it lets wait."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for connection in waiting:
        connection.setblocking(False)
        connection.connect_ex(listener.getsockname())
    return listener.getsockname()[1], [listener, *waiting]


def configuration(endpoint, limited, limit):
    limits = {name: LONG for name in ["connect", "tls", "response", "read"]} | {limited: limit}
    lines = ["[[mount]]", 'bucket = "media"', 'region = "us-west-2"', f'endpoint_url = "{endpoint}"', "path_style = true"]
    # A read that is repeated takes several time-outs.
    lines += ["[mount.retry]", "max_attempts = 1", "[mount.circuit_breaker]", "enabled = false", "[mount.transport]"]
    lines += [f"{name}_timeout_ms = {value}" for name, value in limits.items()]
    return "\n".join(lines) + "\n"


async def reads(port, count):
    """Their times in ms, and how they ended."""

    async def one(number):
        begun = time.monotonic()
        status, _, data = await exchange(port, f"/{number}", timeout=LONG / 1000)
        return (time.monotonic() - begun) * 1000, (status, data == whole(0, 1000))

    ended = []
    while len(ended) < count:
        wave = range(len(ended), min(count, len(ended) + AT_ONCE))
        ended += await asyncio.gather(*(one(number) for number in wave))
    return [took for took, _ in ended], {outcome for _, outcome in ended}


def settled_files(proxy, before):
    """When they are no more than before, or after 20 s."""
    for _ in range(200):
        if proxy.files() <= before:
            break
        time.sleep(0.1)
    return proxy.files()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--late", type=int, default=10)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, binary, limit = Checks(), binary_of(arguments), arguments.limit
    raise_file_limit()
    ports = multiprocessing.Queue()
    hosts = multiprocessing.Process(target=run_hosts, args=(ports,), daemon=True)
    hosts.start()
    silent, halting = ports.get(timeout=10)
    hole, _held = dig()
    for place, limited, endpoint, outcome in [
        ("at the connection", "connect", f"http://127.0.0.1:{hole}", (502, False)),
        ("in the TLS handshake", "tls", f"https://127.0.0.1:{silent}", (502, False)),
        ("before the first byte", "response", f"http://127.0.0.1:{silent}", (504, False)),
        ("in the middle of a body", "read", f"http://127.0.0.1:{halting}", (200, True)),
    ]:
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(configuration(endpoint, limited, limit))
            config.flush()
            proxy = Proxy(binary, None, config=config.name)
        get(proxy.port, "/ping")
        time.sleep(0.5)
        before = proxy.files()
        times, outcomes = asyncio.run(reads(proxy.port, arguments.reads))
        after = settled_files(proxy, before)
        proxy.stop()
        print(
            f"{place}: {len(times)} reads took {min(times):.0f} to {max(times):.0f} ms, the time-out is {limit} ms; "
            f"{before} files before, {after} after"
        )
        checks.check(f"all ended as they must {outcomes}", outcomes == {outcome})
        latest = limit * (100 + arguments.late) / 100
        checks.check(f"none before the time-out, all in {latest:.0f} ms", limit <= min(times) and max(times) <= latest)
        checks.check("no file is left", after <= before)
    hosts.terminate()
    checks.end()


if __name__ == "__main__":
    main()
