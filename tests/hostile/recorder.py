"""An S3 origin that keeps the exact bytes of every request, and judges them: nothing of a client's but the key, a range and
conditions may be in them. Raw TCP, so that no parser tidies up what is to be seen."""
import asyncio, hashlib, hmac, os, re, subprocess, sys, urllib.parse
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "load"))
from harness import Proxy, raise_file_limit

KEY_ID, SECRET, REGION = "AKIDEXAMPLE", "not-a-secret-of-anybody", "us-west-2"
DATE = "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
TAG = r'(?:"[\x21\x23-\x7e]*"|\*)'

# All that a request to S3 may have. Values are the proxy's own words.
FIELDS = {
    "host": r"127\.0\.0\.1:[0-9]+",
    "range": "bytes=(?:[0-9]+-[0-9]*|-[0-9]+)",
    "if-match": TAG,
    "if-none-match": TAG,
    "if-modified-since": DATE,
    "if-unmodified-since": DATE,
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-date": "[0-9]{8}T[0-9]{6}Z",
    "user-agent": r"tower-s3-proxy/[0-9.]+",
    "authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/[0-9]{{8}}/{REGION}/s3/aws4_request, "
    "SignedHeaders=[a-z0-9;-]+, Signature=[0-9a-f]{64}",
}
NEEDED = ["host", "x-amz-content-sha256", "x-amz-date", "authorization"]
LINE = re.compile(rb"(GET|HEAD) (/(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*) HTTP/1\.1")
FIELD = re.compile(rb"([a-z0-9-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")


class Seen:
    """One request, as it came."""

    def __init__(self, raw):
        self.raw = raw
        line, *rest = raw[:-4].split(b"\r\n")
        self.line = LINE.fullmatch(line)
        self.matches = [FIELD.fullmatch(field) for field in rest]
        self.fields = {m.group(1).decode(): m.group(2).decode() for m in self.matches if m}
        if self.line:
            self.method, self.target = self.line.group(1).decode(), self.line.group(2).decode()
            self.key = urllib.parse.unquote_to_bytes(self.target)

    def faults(self):
        """What is not as the proxy writes it, in words."""
        if not self.line:
            return ["a request line that is not GET or HEAD of an encoded key"]
        found = [f"a field line that is none: {n}" for n, m in enumerate(self.matches) if not m]
        names = Counter(m.group(1).decode() for m in self.matches if m)
        found += [f"{name} {count} times" for name, count in names.items() if count > 1]
        found += [f"no {name}" for name in NEEDED if name not in names]
        for name, value in self.fields.items():
            if name not in FIELDS:
                found.append(f"the field {name}: {value}")
            elif not re.fullmatch(FIELDS[name], value):
                found.append(f"the value {name}: {value}")
        # The key is the client's, and the tags of conditions are; nothing else is.
        if any("evil" in value for name, value in self.fields.items() if name not in ("if-match", "if-none-match")):
            found.append("a word of the client's")
        if not found and not self.is_signed():
            found.append("a signature of something else")
        return found

    def is_signed(self):
        """Whether the signature is over these very bytes (SigV4)."""
        value = self.fields["authorization"]
        scope = re.search(r"Credential=[^/]+/([^,]+),", value).group(1)
        names = re.search(r"SignedHeaders=([^,]+),", value).group(1)
        # What a proxy in between could change unnoticed: none but these two.
        if set(self.fields) - set(names.split(";")) - {"authorization", "user-agent"}:
            return False
        lines = "".join(f"{name}:{self.fields.get(name, '')}\n" for name in names.split(";"))
        canonical = "\n".join([self.method, self.target, "", lines, names, self.fields["x-amz-content-sha256"]])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.fields['x-amz-date']}\n{scope}\n{digest}"
        key = ("AWS4" + SECRET).encode()
        for part in [*scope.split("/"), text]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return value.endswith("Signature=" + key.hex())


class Connection(asyncio.Protocol):
    def __init__(self, recorder):
        self.recorder, self.buffered = recorder, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffered += data
        if b"\r\n\r\n" not in self.buffered:
            return
        head, rest = self.buffered.split(b"\r\n\r\n", 1)
        self.buffered = b""
        seen = Seen(head + b"\r\n\r\n")
        self.recorder.keep(seen, rest)
        if seen.line:
            self.transport.write(self.recorder.answer(seen))
        else:
            self.transport.abort()

    def connection_lost(self, _):
        if self.buffered:
            self.recorder.violation(self.buffered, "half a request")


class Recorder:
    """The origin. Each object's bytes are its own target, so that an answer tells what was asked."""

    def __init__(self, extra=b""):
        self.requests, self.violations, self.extra = [], [], extra

    async def start(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def keep(self, seen, rest):
        self.requests.append(seen)
        for fault in seen.faults():
            self.violation(seen.raw, fault)
        if rest:
            self.violation(seen.raw + rest, "bytes after the head: a body, or a second request")

    def violation(self, raw, what):
        self.violations.append(what)
        print(f"VIOLATION at the origin: {what}\n    {raw[:600]!r}", flush=True)

    def content(self, seen):
        return seen.target.encode()

    def answer(self, seen):
        data = self.content(seen)
        if data is None:
            text = b"<Error><Code>NoSuchKey</Code></Error>"
            head = b"HTTP/1.1 404 Not Found\r\ncontent-type: application/xml\r\ncontent-length: %d\r\n\r\n" % len(text)
            return head + (b"" if seen.method == "HEAD" else text)
        tag = '"%s"' % hashlib.md5(data).hexdigest()
        if seen.fields.get("if-match", tag) not in (tag, "*"):
            return b"HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n"
        if seen.fields.get("if-none-match") in (tag, "*"):
            return b"HTTP/1.1 304 Not Modified\r\netag: %s\r\n\r\n" % tag.encode()
        status, extra, part = b"200 OK", b"", data
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", seen.fields.get("range", ""))
        if wanted and seen.method == "GET":
            first, last = wanted.groups()
            begin = int(first) if first else max(len(data) - int(last), 0)
            end = min(int(last or len(data)), len(data) - 1) if first else len(data) - 1
            if begin >= len(data):
                return b"HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */%d\r\ncontent-length: 0\r\n\r\n" % len(data)
            part, status = data[begin : end + 1], b"206 Partial Content"
            extra = b"content-range: bytes %d-%d/%d\r\n" % (begin, end, len(data))
        head = (
            b"HTTP/1.1 %s\r\ncontent-length: %d\r\netag: %s\r\nlast-modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n"
            b"content-type: text/plain\r\naccept-ranges: bytes\r\nx-amz-request-id: 1\r\n%s%s\r\n"
            % (status, len(part), tag.encode(), extra, self.extra)
        )
        return head + (b"" if seen.method == "HEAD" else part)


class Configured(Proxy):
    """The standalone proxy with any flags; `file` is the text of a configuration."""

    def __init__(self, binary, flags, file=None):
        environment = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "PATH": os.environ["PATH"]}
        # A log of each refusal would be most of the time.
        environment |= {"RUST_LOG": os.environ.get("RUST_LOG", "warn")}
        inherited = ()
        if file:
            reader, writer = os.pipe()
            os.write(writer, file.encode())
            os.close(writer)
            flags, inherited = [*flags, "--config", f"/dev/fd/{reader}"], (reader,)
        self.process = subprocess.Popen(
            [binary, "--listen", "127.0.0.1:0", *flags],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("RUST_LOG") else subprocess.DEVNULL,
            preexec_fn=raise_file_limit,
            pass_fds=inherited,
        )
        for descriptor in inherited:
            os.close(descriptor)
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"the proxy did not start: {line!r}")
        self.port = int(found.group(1))


def media(binary, recorder, *flags):
    """One bucket, served at the root."""
    where = ["--bucket", "media", "--region", REGION, "--endpoint", f"http://127.0.0.1:{recorder.port}", "--path-style"]
    return Configured(binary, [*where, *flags])


CACHE = ["--cache-size", "16MiB", "--default-cache-control", "max-age=600"]
