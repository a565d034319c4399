#!/usr/bin/env python3
"""Measures sidestream, and nginx-rtmp if it is installed, under the same load.

    cargo build --release -p sidestream -p sidestream-benches
    benches/compare.py                       # all cases, three runs each, medians
    benches/compare.py --cases publish --reps 1 --window 5

The server is pinned to CPU 0 and the load generator to CPU 1; servers take turns, so that what
else the machine does hits both. The media are made once, by the ffmpeg commands below.
Nothing is downloaded. Results that the generator itself doubts are marked with `?`.
"""

import argparse, json, os, pathlib, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"  # Debian: libnginx-mod-rtmp

# 310 kbit/s and 2.55 Mbit/s in the FLV; a key frame every 2 s, two B-frames; 68 messages a second.
H264 = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -sc_threshold 0 -g 50 -keyint_min 50"
MEDIA = {
    "360p": f"-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 {H264} "
            "-profile:v main -b:v 268k -maxrate 268k -bufsize 268k -c:a aac -b:a 32k -ac 1",
    "720p": f"-f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 {H264} "
            "-profile:v high -b:v 2400k -maxrate 2400k -bufsize 2400k -nal-hrd cbr -c:a aac -b:a 128k -ac 2",
}

# What is loaded: media, arguments of the load generator, whether HLS is on.
CASES = {
    "publish": ("360p", ["--publishers", "500"], False),
    "publish-hls": ("360p", ["--publishers", "500"], True),
    "watch": ("720p", ["--publishers", "1", "--viewers", "100", "--ramp", "15"], False),
}
TITLES = {
    "publish": "500 publishers at 310 kbit/s, nobody watching",
    "publish-hls": "500 publishers at 310 kbit/s, HLS (MPEG-TS, 2 s) on",
    "watch": "1 publisher at 2.55 Mbit/s, 100 RTMP viewers joining at 15/s",
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_media(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in MEDIA.items():
        path = folder / f"{name}.flv"
        if not path.exists():
            print(f"making {path}", file=sys.stderr)
            part = path.with_suffix(".part.flv")
            subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments.split(), str(part)], check=True)
            part.rename(path)


class Server:
    """A server under test: how it is started, and where it listens."""

    def __init__(self, args, folder, hls):
        self.args, self.folder, self.hls = args, folder, hls
        self.rtmp, self.http = free_port(), free_port()
        self.touch = None

    def start(self):
        command, environment = self.command()
        log = open(self.folder / "server.log", "wb")
        pin = ["taskset", "-c", "0", *priority(self.args)]
        self.process = subprocess.Popen(
            [*pin, *command], cwd=self.folder, env={**os.environ, **environment}, stdout=log, stderr=log
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.rtmp)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        sys.exit(f"{command[0]} does not listen: {(self.folder / 'server.log').read_text()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Sidestream(Server):
    name = "sidestream"

    def command(self):
        if self.hls:
            # Started by asking, for the container that is measured only.
            self.touch = f"http://127.0.0.1:{self.http}/live/s{{}}.ts.m3u8"
        environment = {
            "SIDESTREAM_RTMP__LISTEN": f"127.0.0.1:{self.rtmp}",
            "SIDESTREAM_HTTP__LISTEN": f"127.0.0.1:{self.http}",
            "SIDESTREAM_HLS__IDLE": "10m",
        }
        return [str(self.args.binary), "serve"], environment


class Nginx(Server):
    name = "nginx-rtmp"

    def command(self):
        (self.folder / "nginx.conf").write_text(f"""
daemon off; user root; master_process on; worker_processes 1; worker_rlimit_nofile 20000;
pid {self.folder}/nginx.pid; error_log {self.folder}/error.log warn; load_module {NGINX_MODULE};
events {{ worker_connections 16384; }}
rtmp {{ server {{ listen 127.0.0.1:{self.rtmp}; chunk_size 4096;
  application live {{ live on; hls {"on" if self.hls else "off"}; hls_path {self.folder}/hls;
    hls_fragment 2s; hls_playlist_length 12s; }} }} }}
""")
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], {}


def priority(args):
    return ["chrt", "-f", "5"] if args.realtime else []


def run(args, kind, case):
    media, load, hls = CASES[case]
    # Memory: what disks do is not measured.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        server = kind(args, pathlib.Path(folder), hls)
        server.start()
        try:
            address = f"rtmp://127.0.0.1:{server.rtmp}/live/s{{}}"
            command = [
                "taskset", "-c", "1", *priority(args), str(args.load), "--json", "--file", str(args.media / f"{media}.flv"),
                "--pub", address, "--play", address, "--server-pid", str(server.process.pid),
                "--window", str(args.window), "--warmup", str(args.warmup), *load,
            ]
            if server.touch:
                command += ["--touch", server.touch]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode not in (0, 2):
                sys.exit(f"{server.name}, {case}: the load generator failed")
            return json.loads(done.stdout)
        finally:
            server.stop()


def summary(case, name, runs):
    median = lambda value: statistics.median(value(r) for r in runs)
    mark = " ?" if any(r["doubts"] for r in runs) else ""
    lost = sum(r["frames_lost"] for r in runs) + sum(sum(r["failures"].values()) for r in runs)
    row = [name + mark, f"{median(lambda r: r['server']['cores']):.3f}"]
    if CASES[case][0] == "360p":
        row += [f"{median(lambda r: r['server']['bytes_per_publisher']) / 1024:.0f}"]
    else:
        row += [f"{median(lambda r: r['join_ms']['p50']):.2f} / {median(lambda r: r['join_ms']['p99']):.2f}"]
        row += [f"{median(lambda r: r['latency_ms']['p50']):.2f} / {median(lambda r: r['latency_ms']['p99']):.2f}"]
    row += [str(lost), f"{median(lambda r: r['generator_cores']):.2f}", f"{median(lambda r: r['foreign_cores']):.2f}"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--binary", type=pathlib.Path, default=target / "release/sidestream", help="the server")
    parser.add_argument("--load", type=pathlib.Path, default=target / "release/sidestream-load", help="the load generator")
    parser.add_argument("--media", type=pathlib.Path, default=target / "bench-media", help="folder of the media")
    parser.add_argument("--cases", default=",".join(CASES), help="which of " + ", ".join(CASES))
    parser.add_argument("--servers", default="sidestream,nginx-rtmp")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--window", type=float, default=8, help="seconds measured")
    parser.add_argument("--warmup", type=float, default=3)
    parser.add_argument("--patience", type=int, default=0, help="how often a doubtful run is repeated")
    parser.add_argument("--realtime", action="store_true", help="run both before all else of the machine (root)")
    parser.add_argument("--out", type=pathlib.Path, help="append every run as a line of JSON")
    args = parser.parse_args()
    kinds = [kind for kind in (Sidestream, Nginx) if kind.name in args.servers.split(",")]
    if Nginx in kinds and not (shutil.which("nginx") and pathlib.Path(NGINX_MODULE).exists()):
        print("nginx-rtmp is not installed (Debian: nginx libnginx-mod-rtmp): left out", file=sys.stderr)
        kinds.remove(Nginx)
    make_media(args.media)
    for case in args.cases.split(","):
        runs = {kind.name: [] for kind in kinds}
        for _ in range(args.reps):
            for kind in kinds:
                result = run(args, kind, case)
                for _ in range(args.patience):
                    if not result["doubts"]:
                        break
                    print(f"{kind.name}, {case}: again, {'; '.join(result['doubts'])}", file=sys.stderr)
                    result = run(args, kind, case)
                runs[kind.name].append(result)
                if args.out:
                    with args.out.open("a") as out:
                        print(json.dumps({"case": case, "name": kind.name, **result}), file=out)
        print(f"\n{TITLES[case]} (medians of {args.reps}, window {args.window:g} s)\n")
        special = ["KiB a publisher"] if CASES[case][0] == "360p" else ["join p50 / p99 ms", "latency p50 / p99 ms"]
        head = ["server", "cores", *special, "lost or failed", "generator", "others"]
        print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
        for name, results in runs.items():
            print("| " + " | ".join(summary(case, name, results)) + " |", flush=True)


if __name__ == "__main__":
    main()
