"""What the load tests share: an S3 server that costs nothing, the proxy as a process, and clients. Loopback only."""
import asyncio, math, multiprocessing, os, queue, random, re, resource, signal, socket, struct, subprocess, sys, time

PATTERN = memoryview(random.Random(1).randbytes(1 << 16) * 2)
KIB, MIB = 1 << 10, 1 << 20
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def body(first, count):
    """The bytes of any object: they go by their place alone."""
    at = first % (1 << 16)
    while count > 0:
        piece = PATTERN[at : at + min(count, 1 << 16)]
        yield piece
        count -= len(piece)
        at = (at + len(piece)) % (1 << 16)


def whole(first, count):
    return b"".join(body(first, count))


class Faults:
    """What an origin does wrong, one time in so many."""

    def __init__(self, one_in=0):
        self.one_in = one_in
        self.random = random.Random(7)

    def pick(self):
        if self.one_in == 0 or self.random.randrange(self.one_in):
            return None
        return self.random.choice(["busy", "break", "close", "stall"])


class Origin(asyncio.Protocol):
    """Answers GET and HEAD of /BUCKET/NAME-SIZE, whoever signed it; names that begin with "late" after 50 ms."""

    counts = None
    faults = None

    def connection_made(self, transport):
        self.transport, self.buffered = transport, b""
        self.pending, self.can_write, self.wakeup = None, True, asyncio.Event()
        self.counts["connections"] += 1
        transport.set_write_buffer_limits(high=1 << 17)
        self.task = asyncio.get_running_loop().create_task(self.serve())

    def connection_lost(self, _):
        self.counts["connections"] -= 1
        self.task.cancel()

    def pause_writing(self):
        self.can_write = False

    def resume_writing(self):
        self.can_write = True
        self.wakeup.set()

    def data_received(self, data):
        self.buffered += data
        self.wakeup.set()

    async def head(self):
        while b"\r\n\r\n" not in self.buffered:
            self.wakeup.clear()
            await self.wakeup.wait()
        head, self.buffered = self.buffered.split(b"\r\n\r\n", 1)
        return head

    async def serve(self):
        while True:
            head = await self.head()
            self.counts["requests"] += 1
            self.counts["asked"] += 1
            self.counts["most"] = max(self.counts["most"], self.counts["asked"])
            try:
                await self.answer(head)
            finally:
                self.counts["asked"] -= 1

    async def answer(self, head):
        method, path = re.match(rb"([A-Z]+) (\S+)", head).groups()
        size = re.search(rb"-(\d+)(?:\.\w+)?(?:\?|$)", path)
        if not size:
            text = b"<Error><Code>NoSuchKey</Code></Error>"
            return self.transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
        size = int(size.group(1))
        if b"/late" in path:
            await asyncio.sleep(0.05)
        fault = self.faults.pick()
        if fault == "busy":
            text = b"<Error><Code>SlowDown</Code></Error>"
            return self.transport.write(b"HTTP/1.1 503 Slow Down\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
        if fault == "close":
            return self.transport.abort()
        wanted = re.search(rb"(?i)\r\nrange: *bytes=(\d+)-(\d*)", head)
        first, last, status = 0, size - 1, b"200 OK"
        extra = b""
        if wanted and int(wanted.group(1)) < size:
            first = int(wanted.group(1))
            last = min(int(wanted.group(2) or size), size - 1)
            status, extra = b"206 Partial Content", b"content-range: bytes %d-%d/%d\r\n" % (first, last, size)
        count = last - first + 1
        answer = (
            b'HTTP/1.1 %s\r\ncontent-length: %d\r\netag: "%s"\r\nlast-modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n'
            b"content-type: video/mp4\r\naccept-ranges: bytes\r\nx-amz-request-id: 1\r\n%s\r\n"
            % (status, count, path.rsplit(b"/", 1)[1].split(b"?")[0], extra)
        )
        if method == b"HEAD":
            return self.transport.write(answer)
        stop = random.randrange(count) if fault in ("break", "stall") and count > 1 else count
        for piece in body(first, stop):
            while not self.can_write:
                self.wakeup.clear()
                await self.wakeup.wait()
            if self.transport.is_closing():
                return
            self.transport.write(answer + piece)
            answer = b""
            self.counts["bytes"] += len(piece)
        if fault == "stall":
            await asyncio.sleep(3)
        if fault in ("break", "stall") and stop < count:
            self.transport.abort()


def run_origin(port_to, counts_from, one_in):
    raise_file_limit()

    async def run():
        Origin.counts = dict(connections=0, requests=0, asked=0, most=0, bytes=0)
        Origin.faults = Faults(one_in)
        listener = socket.socket()
        # What S3 has in its own buffers is not this machine's to keep.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        use_ethernet(listener)
        listener.bind(("127.0.0.1", 0))
        server = await asyncio.get_running_loop().create_server(Origin, sock=listener, backlog=4096)
        port_to.put(server.sockets[0].getsockname()[1])
        while True:
            # The parent asks for the counts, or has gone.
            await asyncio.get_running_loop().run_in_executor(None, counts_from.get)
            port_to.put(dict(Origin.counts))
            Origin.counts["most"] = Origin.counts["asked"]

    asyncio.run(run())


class S3:
    def __init__(self, one_in=0):
        self.answers, self.questions = multiprocessing.Queue(), multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=run_origin, args=(self.answers, self.questions, one_in), daemon=True
        )
        self.process.start()
        self.port = self.answers.get(timeout=10)

    def counts(self):
        self.questions.put(None)
        return self.answers.get(timeout=60)

    def quiet(self, seconds=60):
        """Waits until it has sent what the buffers on the way take: until then it is the one that is slow."""
        last = -1
        for _ in range(seconds):
            now = self.counts()["bytes"]
            if now - last < MIB:
                return
            last = now
            time.sleep(1)

    def stop(self):
        self.process.terminate()
        self.process.join()


class Proxy:
    """The standalone proxy over such an origin."""

    def __init__(self, binary, s3, *flags, host="127.0.0.1", log=None, config=None):
        environment = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret-of-anybody"}
        environment |= {"PATH": os.environ["PATH"], "RUST_LOG": "info"}
        if config:
            source = ["--config", config]
        else:
            source = ["--bucket", "media", "--region", "us-west-2", "--path-style", "--endpoint", f"http://{host}:{s3.port}"]
        command = [binary, "--listen", "127.0.0.1:0", *source, *flags]
        self.log = log or subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=self.log, preexec_fn=raise_file_limit
        )
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"the proxy did not start: {line!r}")
        self.port = int(found.group(1))

    def resident(self):
        """In bytes."""
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    def settled(self, seconds=20):
        """The resident set, when it no longer grows."""
        last = self.resident()
        for _ in range(seconds):
            time.sleep(1)
            now = self.resident()
            if abs(now - last) < MIB // 4:
                return now
            last = now
        return last

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu(self):
        """In seconds."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def use_ethernet(connection):
    """Segments as on Ethernet: with loopback's of 64 KiB the system keeps megabytes for each connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)


def tcp_memory():
    """What all connections of this machine hold in the kernel, and from where on it is too much, in MiB."""
    used = int(re.search(r"TCP:.* mem (\d+)", open("/proc/net/sockstat").read()).group(1))
    most = int(open("/proc/sys/net/ipv4/tcp_mem").read().split()[2])
    return used * 4 / 1024, most * 4 / 1024


def slow_socket(source="127.0.0.1"):
    """A client's, of whom this machine keeps next to nothing: clients have machines of their own."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
    use_ethernet(connection)
    connection.bind((source, 0))
    return connection


async def exchange(port, path, fields="", source="127.0.0.1", timeout=30):
    """One request on a connection of its own: status, head, body."""
    reader, writer = await asyncio.wait_for(
        asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)), timeout
    )
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n".encode())
        data = await asyncio.wait_for(reader.read(-1), timeout)
    finally:
        writer.close()
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1] if head else 0), head, rest


def get(port, path, fields="", source="127.0.0.1", timeout=30):
    return asyncio.run(exchange(port, path, fields, source, timeout))


def good_clients(port, seconds, results, folder="", source="127.0.0.9"):
    """So many seconds of ordinary requests: 8 clients that keep their connections, 25 requests a second each."""

    async def client(number, until, times, wrong):
        reader = writer = None
        sent = 0
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                sent += 1
                size = 10_000 + number
                writer.write(f"GET {folder}/good{sent % 50}-{size} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
                data = await asyncio.wait_for(reader.readexactly(length), 30)
                if not head.startswith(b"HTTP/1.1 200") or data != whole(0, size):
                    wrong.append(head.split(b"\r\n")[0].decode())
                times.append(time.monotonic() - begun)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                wrong.append(repr(error))
                reader = writer = None
            await asyncio.sleep(max(0, 0.04 - (time.monotonic() - begun)))

    async def run():
        times, wrong, until = [], [], time.monotonic() + seconds
        await asyncio.gather(*(client(n, until, times, wrong) for n in range(8)))
        times.sort()
        at = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1000 if times else math.inf
        results.put(dict(count=len(times), p50=at(0.5), p99=at(0.99), wrong=wrong))

    asyncio.run(run())


def measure_good(port, seconds, folder=""):
    """The times of good clients, in ms, from a process of their own."""
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=good_clients, args=(port, seconds, results, folder), daemon=True)
    process.start()
    found = results.get(timeout=seconds + 60)
    process.join()
    return found


class Checks:
    """What must hold. Prints each, and tells in the end whether all did."""

    def __init__(self):
        self.failed = 0

    def check(self, what, holds):
        print(f"{'ok    ' if holds else 'FAILED'}  {what}", flush=True)
        self.failed += not holds

    def end(self):
        # The form that tools read.
        sys.exit(1 if self.failed else 0)


def binary_of(arguments):
    if arguments.binary:
        return arguments.binary
    for profile in ["dist", "release", "debug"]:
        path = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), profile, "tower-s3-proxy")
        if os.path.exists(path):
            return path
    sys.exit("build the proxy first: cargo build -p tower-s3-proxy-server")


# --- HTTP/2, as far as it is needed: frames by hand, so that nothing reads what is not to be read.

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A field without indexing or Huffman coding (RFC 7541 §6.2.2)."""
    text = lambda s: (bytes([len(s)]) if len(s) < 127 else bytes([127]) + varint(len(s) - 127)) + s
    return b"\x00" + text(name) + text(value)


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def request_frame(stream, path, *fields):
    pairs = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", path), *fields]
    return frame(1, 0x5, stream, b"".join(literal(*pair) for pair in pairs))
