#!/usr/bin/env python3
"""tests/load/black_hole.py [--rounds 100] [--limit 500] [--binary PATH]

The host of S3 has two addresses, and the first swallows every packet. A proxy that has just started asks it, so many times:
no request may fail, and none may take so many ms. Runs in a network namespace of its own, where it can lead an address nowhere
and name its own hosts; without the permission for that, it is skipped.
"""
import argparse, shutil, tempfile
from harness import *

HOLE, HOST, CLIENTS = "192.0.2.2", "s3.test", 20
INSIDE = "TOWER_S3_PROXY_BLACK_HOLE"


def enter():
    """Runs this program again in namespaces of its own. Returns if that is not possible, with the reason."""
    for tool in ["unshare", "ip", "mount"]:
        if not shutil.which(tool):
            return f"{tool} is not installed"
    command = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        # Root of a user namespace, where the system lets users have them.
        command.insert(1, "--map-root-user")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode:
        return f"no network namespace: {tried.stderr.strip()}"
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def dig():
    """Leads the address nowhere, and gives the host of S3 that address and then its own."""
    lines = ["link set lo up", "address add 192.0.2.1/32 dev lo"]
    # What is sent there comes back with a sender from outside that is the machine itself, and is dropped without a word.
    lines += [f"route add {HOLE}/32 dev lo src 192.0.2.1"]
    for line in lines:
        subprocess.run(["ip", *line.split()], check=True)
    with tempfile.NamedTemporaryFile("w", prefix="hosts") as hosts:
        hosts.write(f"127.0.0.1 localhost\n{HOLE} {HOST}\n127.0.0.1 {HOST}\n")
        hosts.flush()
        os.chmod(hosts.name, 0o644)
        subprocess.run(["mount", "--bind", hosts.name, "/etc/hosts"], check=True)
    found = [entry[4][0] for entry in socket.getaddrinfo(HOST, 80, socket.AF_INET, socket.SOCK_STREAM)]
    assert set(found) == {HOLE, "127.0.0.1"}, found
    silent = socket.socket()
    silent.settimeout(1)
    try:
        silent.connect((HOLE, 80))
    except TimeoutError:
        return
    sys.exit(f"{HOLE} does not swallow packets")


async def timed(port, number, wrong):
    """In ms."""
    size, begun = 10_000 + number, time.monotonic()
    status, head, data = await exchange(port, f"/a{number}-{size}")
    if status != 200 or data != whole(0, size):
        wrong.append(head.split(b"\r\n")[0].decode() or "no answer")
    return (time.monotonic() - begun) * 1000


async def all_at_once(port, wrong):
    return await asyncio.gather(*(timed(port, number, wrong) for number in range(CLIENTS)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    if INSIDE not in os.environ:
        print(f"skipped: {enter()}")
        return
    dig()
    limit = arguments.limit
    checks, s3, binary = Checks(), S3(), binary_of(arguments)
    slowest, late, wrong = [], 0, []
    for _ in range(arguments.rounds):
        proxy = Proxy(binary, s3, host=HOST)
        times = asyncio.run(all_at_once(proxy.port, wrong))
        slowest.append(max(times))
        late += max(times) >= 200
        proxy.stop()
    s3.stop()
    print(
        f"{arguments.rounds} starts, {CLIENTS} requests each: in {late} starts {HOLE} was tried first; "
        f"the slowest request took {max(slowest):.0f} ms of {limit} ms"
    )
    checks.check("the address that swallows packets was tried", late > 0)
    checks.check(f"no request failed {wrong[:3]}", not wrong)
    checks.check(f"the slowest request took less than {limit} ms", max(slowest) < limit)
    checks.end()


if __name__ == "__main__":
    main()
