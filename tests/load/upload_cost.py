#!/usr/bin/env python3
"""tests/load/upload_cost.py --binary PATH [--rounds 5]

What an upload costs the proxy, in CPU time, beside nginx with `proxy_request_buffering off`, in one run: 1 MiB and 64 MiB, over
16 connections, to an origin that keeps what it gets in memory (nginx with `dav_methods PUT`). The proxies run on core 1, load and
origin on core 0. The uploads go on as they are by nginx and, with a presigned link, by the proxy ("links"); the proxy signs them
and gives them a CRC-32 in a trailer where it has the credentials ("writes"). Needs nginx with its DAV module, as Debian has it. Measures, and asserts nothing.
"""
import argparse, os, shutil, socket, statistics, subprocess, sys, tempfile, threading, time

MIB = 1 << 20
TICK = os.sysconf("SC_CLK_TCK")
NGINX = """
user root; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_max_body_size 0; client_body_temp_path {folder}/{name};
{server} }}
"""
ORIGIN = """server {{ listen 127.0.0.1:{port}; root {folder}/www; client_body_buffer_size 1m;
  location / {{ dav_methods PUT; create_full_put_path on; }} }}"""
PROXY = """upstream o {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://o/bucket/; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_request_buffering off; proxy_max_temp_file_size 0; }} }}"""


def cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def worker_of(pid):
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return int(children[0]) if children else pid


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_nginx(folder, name, core, server):
    path = f"{folder}/{name}.conf"
    with open(path, "w") as file:
        file.write(NGINX.format(folder=folder, name=name, server=server))
    process = subprocess.Popen(["taskset", "-c", str(core), "nginx", "-c", path, "-g", "daemon off;"])
    time.sleep(0.5)
    return process


def link():
    """What of a link the proxy can check without its key: the origin checks nothing."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    credential = f"AKIDEXAMPLE%2F{now[:8]}%2Fus-east-1%2Fs3%2Faws4_request"
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={now}&X-Amz-Expires=600"
    return f"{query}&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"


def upload(port, path, size, count):
    """So many uploads over one connection."""
    body = memoryview(os.urandom(MIB) * (size // MIB))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            head = f"PUT {path.format(threading.get_ident())} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
            connection.sendall(head)
            connection.sendall(body)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(4096)
                if not piece:
                    raise AssertionError(f"no answer from {port}: {answer!r}")
                answer += piece
            if not answer.startswith(b"HTTP/1.1 20"):
                raise AssertionError(answer)


def measure(port, path, pid, size, total, connections=16):
    """CPU seconds for a GiB."""
    count = max(1, total // size // connections)
    failures = []

    def run():
        try:
            upload(port, path, size, count)
        except Exception as why:
            failures.append(why)

    before = cpu(pid)
    threads = [threading.Thread(target=run) for _ in range(connections)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if failures:
        raise failures[0]
    return (cpu(pid) - before) / (count * connections * size / (1 << 30))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024, help="for a round and proxy")
    arguments = parser.parse_args()
    if not shutil.which("nginx"):
        sys.exit("upload_cost: install nginx first")
    os.sched_setaffinity(0, {0})
    folder = tempfile.mkdtemp(prefix="upload-cost-", dir="/dev/shm")
    os.makedirs(f"{folder}/www/bucket")
    started = []
    try:
        origin, beside, writes, links = (free_port() for _ in range(4))
        started.append(start_nginx(folder, "origin", 0, ORIGIN.format(port=origin, folder=folder)))
        nginx = start_nginx(folder, "beside", 1, PROXY.format(port=beside, origin=origin))
        started.append(nginx)
        command = ["taskset", "-c", "1", arguments.binary, "--threads", "1", "--bucket", "bucket", "--region", "us-east-1"]
        command += ["--endpoint", f"http://127.0.0.1:{origin}", "--path-style"]
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "RUST_LOG": "error"}
        granted = ["--access", "read-write", "-o", "writes.writers=anybody", "-o", "writes.overwrite=true"]
        for port, more in [(writes, granted), (links, ["--presigned", "-o", "presigned.writes=true"])]:
            command_line = [*command, "--listen", f"127.0.0.1:{port}", *more]
            started.append(subprocess.Popen(command_line, env=os.environ | keys, stdout=subprocess.DEVNULL))
        time.sleep(1)
        ways = {
            "nginx": (beside, "/{}", worker_of(nginx.pid)),
            "writes": (writes, "/{}", started[-2].pid),
            "links": (links, "/bucket/{}?" + link(), started[-1].pid),
        }
        for size in (MIB, 64 * MIB):
            seconds = {name: [] for name in ways}
            for number in range(arguments.rounds):
                order = list(ways) if number % 2 else list(ways)[::-1]
                for name in order:
                    seconds[name].append(measure(*ways[name], size, arguments.mib * MIB))
            medians = {name: statistics.median(values) for name, values in seconds.items()}
            ratios = {name: f"{medians[name] / medians['nginx']:.2f}" for name in ("writes", "links")}
            told = ", ".join(f"{name} {value:.3f} s" for name, value in medians.items())
            print(f"{size // MIB} MiB: {told} of CPU for a GiB; of nginx: {ratios}", flush=True)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
