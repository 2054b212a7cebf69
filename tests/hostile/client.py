"""The client's end of HTTP/1: bytes out as they are, responses in, one after the other."""
import asyncio, re
from collections import namedtuple

Response = namedtuple("Response", "status fields body")


class Broken(Exception):
    """Bytes that are no response, or not all of one."""


def value(response, name):
    return next((value for field, value in response.fields if field == name), None)


async def head(reader):
    """`None` at the end of the connection."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Broken(f"an end within a head: {error.partial[:200]!r}")
        return None
    except ConnectionError:
        return None
    line, *rest = raw[:-4].split(b"\r\n")
    matched = re.fullmatch(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [\x20-\x7e]*)?", line)
    fields = [
        re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*", field) for field in rest
    ]
    if not matched or not all(fields):
        raise Broken(f"no head of a response: {raw[:200]!r}")
    return int(matched.group(1)), [(m.group(1).decode().lower(), m.group(2).decode("latin-1")) for m in fields]


async def respond(reader, method="GET"):
    """The next response that is final; `None` at the end of the connection."""
    while True:
        found = await head(reader)
        if found is None:
            return None
        status, fields = found
        if status == 101:
            raise Broken("101 Switching Protocols")
        if status >= 200:
            break
    named = dict(fields)
    try:
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif "chunked" in named.get("transfer-encoding", ""):
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        elif "content-length" in named:
            body = await reader.readexactly(int(named["content-length"]))
        else:
            body = await reader.read(-1)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise Broken(f"an end within a body: {error!r}")
    return Response(status, fields, body)


async def connect(port):
    return await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
