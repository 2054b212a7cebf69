#!/usr/bin/env python3
"""tests/load/slowhttptest.py [--binary PATH]

slowhttptest's four attacks (slow heads, slow bodies, slow reads, ranges): its probe must find the service available. It comes
from the address of the attack, which so gets all the connections that there are. Needs the Debian package slowhttptest.
"""
import argparse, shutil
from harness import *

ATTACKS = [
    ("slow heads", ["-H", "-c", "3000", "-r", "400", "-i", "10", "-t", "GET", "-l", "35"], "/a-100000"),
    ("slow bodies", ["-B", "-c", "3000", "-r", "400", "-i", "10", "-s", "8192", "-t", "POST", "-l", "35"], "/a-100000"),
    ("slow reads", ["-X", "-c", "3000", "-r", "400", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3", "-l", "35"], "/a-25000000"),
    ("ranges", ["-R", "-c", "1000", "-r", "200", "-a", "10", "-b", "3000", "-t", "HEAD", "-l", "25"], "/a-100000"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary")
    arguments = parser.parse_args()
    if not shutil.which("slowhttptest"):
        print("skipped: slowhttptest is not installed (apt-get install slowhttptest)")
        return
    checks = Checks()
    raise_file_limit()
    for name, flags, path in ATTACKS:
        s3 = S3()
        proxy = Proxy(binary_of(arguments), s3, "--max-connections-per-address", "4096")
        command = ["slowhttptest", *flags, "-p", "3", "-u", f"http://127.0.0.1:{proxy.port}{path}"]
        out = re.sub(r"\x1b\[[0-9;]*m", "", subprocess.run(command, capture_output=True, text=True).stdout)
        found = re.findall(r"service available:\s*(\w+)", out)
        print(f"{name}: available {found.count('YES')} times of {len(found)}, resident {proxy.resident() / MIB:.1f} MiB")
        checks.check(f"{name}: the service is available", found and "NO" not in found)
        proxy.stop()
        s3.stop()
    checks.end()


if __name__ == "__main__":
    main()
