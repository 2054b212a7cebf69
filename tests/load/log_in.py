#!/usr/bin/env python3
"""tests/load/log_in.py [--requests 10000] [--binary PATH]

A log-in service in front of one shared cache: two users of two groups, and nobody, who ask for each other's objects in any order.
Nobody may get what the service denies. Then the service is killed and comes back: meanwhile the door is shut, as soon as what is
remembered has run out, and a second after its return it is open again for those who may.
"""
import argparse
from harness import *

CLIENTS, REMEMBERED, OBJECTS = 32, 1, 40
GROUPS = {"ada": "film", "grace": "design"}
VISITORS = ["ada", "grace", None]


class LogIn(asyncio.Protocol):
    """204 to who is of the group that the first segment of the path names, 403 to others, and a way to log in to nobody."""

    asked = None

    def connection_made(self, transport):
        self.transport, self.buffered = transport, b""

    def data_received(self, data):
        self.buffered += data
        while b"\r\n\r\n" in self.buffered:
            head, self.buffered = self.buffered.split(b"\r\n\r\n", 1)
            with self.asked.get_lock():
                self.asked.value += 1
            self.transport.write(self.verdict(head))

    @staticmethod
    def verdict(head):
        user = re.search(rb"(?i)\r\ncookie: session=(\w+)", head)
        group = re.search(rb"(?i)\r\nx-forwarded-uri: /(\w+)/", head)
        if not user:
            return b"HTTP/1.1 302 Found\r\nlocation: https://id.test/\r\nset-cookie: csrf=1\r\ncontent-length: 0\r\n\r\n"
        if not group or GROUPS.get(user.group(1).decode()) != group.group(1).decode():
            return b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"
        return b"HTTP/1.1 204 No Content\r\n\r\n"


def run_service(port, port_to, asked):
    async def run():
        LogIn.asked = asked
        server = await asyncio.get_running_loop().create_server(LogIn, "127.0.0.1", port)
        port_to.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Service:
    def __init__(self, asked, port=0):
        ports = multiprocessing.Queue()
        self.process = multiprocessing.Process(target=run_service, args=(port, ports, asked), daemon=True)
        self.process.start()
        self.port = ports.get(timeout=10)

    def kill(self):
        self.process.kill()
        self.process.join()


class Client:
    """Keeps its connection, whoever asks over it: so does a proxy in front."""

    def __init__(self, port):
        self.port, self.writer = port, None

    async def get(self, user, path):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        cookie = f"cookie: session={user}\r\n" if user else ""
        self.writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{cookie}\r\n".encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        body = await asyncio.wait_for(self.reader.readexactly(length), 20)
        return int(head.split(b" ")[1]), head.lower(), body


def right(user, group):
    if user is None:
        return 302
    return 200 if GROUPS[user] == group else 403


async def mixed(port, count):
    """So many requests of any kind: what each was told, if it was not what it should be."""
    wrong, leaks, hits, left = [], [], [0], [count]

    async def ask(number):
        client, choose = Client(port), random.Random(number)
        while left[0] > 0:
            left[0] -= 1
            user, group = choose.choice(VISITORS), choose.choice(["film", "design"])
            size = 1000 + choose.randrange(OBJECTS)
            status, head, body = await client.get(user, f"/{group}/a-{size}")
            expected = right(user, group)
            if status == 200 and expected != 200 or expected != 200 and body == whole(0, size):
                leaks.append((user, group))
            if status != expected or status == 200 and body != whole(0, size):
                wrong.append((user, group, status))
            if status == 200 and b"cache-control: private" not in head:
                wrong.append("a shared cache may keep it")
            if b"set-cookie" in head and user is not None:
                wrong.append("a cookie of another")
            hits[0] += b"; hit" in head

    await asyncio.gather(*(ask(number) for number in range(CLIENTS)))
    return wrong, leaks, hits[0]


async def outage(port, service, asked):
    """The service is killed under load, and comes back: what was told when, as (time, right status, status)."""
    told, until = [], [math.inf]

    async def ask(number):
        client, choose = Client(port), random.Random(number)
        while time.monotonic() < until[0]:
            user, group = choose.choice(VISITORS), choose.choice(["film", "design"])
            begun = time.monotonic()
            status, _, _ = await client.get(user, f"/{group}/a-{1000 + choose.randrange(OBJECTS)}")
            told.append((begun, right(user, group), status))
            await asyncio.sleep(0.02)

    async def kill():
        await asyncio.sleep(1)
        killed = time.monotonic()
        await asyncio.get_running_loop().run_in_executor(None, service.kill)
        await asyncio.sleep(REMEMBERED + 2)
        back = Service(asked, service.port)
        returned = time.monotonic()
        until[0] = returned + 2
        return killed, returned, back

    (killed, returned, back), *_ = await asyncio.gather(kill(), *(ask(number) for number in range(CLIENTS)))
    return told, killed, returned, back


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    checks, asked = Checks(), multiprocessing.Value("i", 0)
    s3, service = S3(), Service(asked)
    options = [f"forward_auth.url=http://127.0.0.1:{service.port}/auth", f"forward_auth.remember_secs={REMEMBERED}"]
    flags = [flag for option in options for flag in ("-o", option)]
    proxy = Proxy(binary_of(arguments), s3, "--cache-size", "64MiB", "--cache-ttl", "1h", *flags)
    try:
        begun = time.monotonic()
        wrong, leaks, hits = asyncio.run(mixed(proxy.port, arguments.requests))
        print(f"{arguments.requests} requests in {time.monotonic() - begun:.1f} s, {hits} hits, {asked.value} questions, {s3.counts()['requests']} to S3")
        checks.check("nobody gets what the service denies", not leaks)
        checks.check(f"each is told what the service says {wrong[:3]}", not wrong)
        checks.check("the cache is shared", 0 < s3.counts()["requests"] <= 2 * 2 * OBJECTS)
        checks.check("verdicts are remembered", asked.value < arguments.requests * 0.8)
        told, killed, returned, service = asyncio.run(outage(proxy.port, service, asked))
        opened = [entry for entry in told if entry[2] == 200 and entry[1] != 200]
        down = [entry for entry in told if killed + REMEMBERED + 0.5 < entry[0] < returned]
        after = [entry for entry in told if entry[0] > returned + 1]
        print(f"{len(told)} requests around the outage, {len(down)} while nothing was remembered, {len(after)} a second after it")
        checks.check("the outage opens no door", not opened)
        checks.check("while the service is down all are told 503", bool(down) and all(entry[2] == 503 for entry in down))
        checks.check("a second after its return all is as before", bool(after) and all(entry[1] == entry[2] for entry in after))
        checks.check("the process lives", proxy.is_alive())
    finally:
        proxy.stop()
        service.kill()
        s3.stop()
    checks.end()


if __name__ == "__main__":
    main()
