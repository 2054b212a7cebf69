#!/usr/bin/env python3
"""tests/load/drill.py [--seconds 4] [--rate 200] [--binary PATH]

What operators do while clients come over HTTPS and log in, with no failed request: the certificate is replaced, the configuration
is broken and mended, the file of users is replaced, and the program is stopped while a second one, on the same socket, goes on.
The socket is handed over as by systemd. Needs openssl for the certificates.
"""
import argparse, base64, shutil, socket, ssl, tempfile
from harness import *

CLIENTS, SIZE = 16, 20_000
PASSWORD, OTHER = "correct horse", "battery staple"


class Tally:
    def __init__(self):
        self.whole = self.crossed = 0
        self.broken, self.names = [], set()


def certificate(folder, name):
    """A certificate of its own authority, put in place as certbot does: whole files, one after the other."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:localhost,DNS:{name}", "-keyout", key + ".new", "-out", cert + ".new"],
        check=True, stderr=subprocess.DEVNULL,
    )
    os.replace(key + ".new", key)
    os.replace(cert + ".new", cert)


def line_of_user(binary, password):
    told = subprocess.run([binary, "user", "ada"], input=password + "\n", capture_output=True, text=True, check=True)
    return told.stdout


def config(folder, s3, extra=""):
    return f"""
region = "us-west-2"
[[listen]]
address = "systemd"
tls_cert = "{folder}/cert.pem"
tls_key = "{folder}/key.pem"
[cache]
size = "16MiB"
[[mount]]
bucket = "media"
endpoint_url = "http://127.0.0.1:{s3.port}"
path_style = true
access_key_id = "AKIDEXAMPLE"
secret_access_key = "not-a-secret-of-anybody"
{extra}
[mount.users]
file = "{folder}/users"
realm = "media"
"""


def start(binary, listener, folder, log):
    """As systemd starts it: the socket is file 3, and the process is named."""
    script = f'exec 3<&{listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" --config "$1"'
    return subprocess.Popen(
        ["bash", "-c", script, binary, os.path.join(folder, "proxy.toml")],
        pass_fds=[listener.fileno()], stdout=subprocess.DEVNULL, stderr=log, env={"PATH": os.environ["PATH"], "RUST_LOG": "info"},
    )


def told(log, text, seconds=20):
    """Waits for text in the log."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with open(log.name) as lines:
            if text in lines.read():
                return True
        time.sleep(0.05)
    return False


async def client(port, number, rate, ended, tally):
    """Keeps a connection and opens it anew now and then. A kept one may be closed while it is idle (RFC 9112 §9.3.1): then the
    request goes out again on a fresh one, as clients send it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader = writer = None
    sent = 0
    await asyncio.sleep(number / CLIENTS / rate)
    while not ended.is_set():
        sent += 1
        is_fresh = writer is None
        try:
            if is_fresh:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
                der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                tally.names |= {name for name in [b"first.test", b"second.test"] if name in der}
            log_in = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
            size = SIZE + number
            writer.write(f"GET /s{sent % 20}-{size} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {log_in}\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
            length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
            body = await asyncio.wait_for(reader.readexactly(length), 20)
            if head.startswith(b"HTTP/1.1 200") and body == whole(0, size):
                tally.whole += 1
            else:
                tally.broken.append(head[:60])
            closes = b"connection: close" in head.lower() or sent % 10 == 0
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            if is_fresh or getattr(error, "partial", b"") or isinstance(error, asyncio.TimeoutError):
                tally.broken.append(repr(error))
            else:
                tally.crossed += 1
            closes = True
        if closes:
            if writer is not None:
                writer.close()
            writer = None
        await asyncio.sleep(1 / rate)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--seconds", type=float, default=4, help="between two steps")
    parser.add_argument("--rate", type=int, default=200)
    arguments = parser.parse_args()
    if not shutil.which("openssl"):
        print("skipped: there is no openssl to make certificates")
        return
    binary, checks, tally = binary_of(arguments), Checks(), Tally()
    s3, folder = S3(), tempfile.mkdtemp()
    users, file = os.path.join(folder, "users"), os.path.join(folder, "proxy.toml")
    log = open(os.path.join(folder, "log"), "w")

    def write(path, text):
        with open(path + ".new", "w") as new:
            new.write(text)
        os.replace(path + ".new", path)

    certificate(folder, "first.test")
    write(users, line_of_user(binary, PASSWORD))
    write(file, config(folder, s3))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port = listener.getsockname()[1]
    first = start(binary, listener, folder, log)
    second = None

    async def drill():
        nonlocal second
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        wait = lambda text: loop.run_in_executor(None, told, log, text)
        rate = arguments.rate / CLIENTS
        clients = [asyncio.create_task(client(port, n, rate, ended, tally)) for n in range(CLIENTS)]
        await asyncio.sleep(arguments.seconds)

        await loop.run_in_executor(None, certificate, folder, "second.test")
        checks.check("the certificate was read again", await wait('the files of certificates were read again'))
        await asyncio.sleep(arguments.seconds)

        write(file, config(folder, s3, "no_such_key = 1"))
        first.send_signal(signal.SIGHUP)
        checks.check("a broken configuration changes nothing", await wait("the configuration stays as it is"))
        write(file, config(folder, s3, 'cors = { origins = ["*"] }'))
        first.send_signal(signal.SIGHUP)
        checks.check("the mended one is served", await wait("the configuration was read again"))
        await asyncio.sleep(arguments.seconds)

        # Another user comes, and the password of ours has another hash.
        write(users, line_of_user(binary, OTHER).replace("ada:", "grace:") + line_of_user(binary, PASSWORD))
        checks.check("the users were read again", await wait("the file of users was read again"))
        await asyncio.sleep(arguments.seconds)

        second = start(binary, listener, folder, log)
        await asyncio.sleep(1)
        first.send_signal(signal.SIGTERM)
        code = await loop.run_in_executor(None, first.wait)
        checks.check(f"the first program ends with {code}", code == 0)
        await asyncio.sleep(arguments.seconds)
        ended.set()
        await asyncio.gather(*clients)

    try:
        asyncio.run(drill())
    finally:
        for process in [first, second]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        s3.stop()
    for failure in tally.broken[:5]:
        print("       ", failure)
    checks.check(f"{tally.whole} requests whole, {len(tally.broken)} broken; {tally.crossed} crossed the end of a kept connection", tally.whole > 0 and not tally.broken)
    checks.check("clients saw both certificates", tally.names == {b"first.test", b"second.test"})
    shutil.rmtree(folder)
    checks.end()


main()
