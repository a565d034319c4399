#!/usr/bin/env python3
"""Measures sidestream, nginx-rtmp, xiu and the reference server ("limit") under the same load.

    cargo build --release -p sidestream
    benches/compare.py --out runs.jsonl               # all cases, three runs each: some 40 minutes
    benches/compare.py --cases rtmp-1000,hls --reps 1
    benches/compare.py --quick                        # every case small and short: does it work here?
    benches/compare.py --report runs.jsonl --markdown # the table of these runs into docs/BENCHMARKS.md

Servers are pinned to CPU 0 and the generator (`sidestream bench`) to CPU 1; contestants of a case take
turns, so that what else the machine does hits all. Media are made once, by the ffmpeg commands below.
Nothing is downloaded: nginx-rtmp is Debian's (nginx, libnginx-mod-rtmp), xiu comes from `cargo install xiu
--version 0.14.0`; who is not there is left out, and said so. Runs that doubt themselves are marked with `?`.
"""

import argparse, json, os, pathlib, shutil, signal, socket, statistics, subprocess, sys, tempfile, time
from collections import defaultdict

ROOT = pathlib.Path(__file__).resolve().parent.parent
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

# 310 kbit/s and 2.55 Mbit/s in the FLV; a key frame every 2 s, two B-frames; 68 messages a second.
H264 = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -sc_threshold 0 -g 50 -keyint_min 50"
MEDIA = {
    "360p": f"-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 {H264} "
            "-profile:v main -b:v 268k -maxrate 268k -bufsize 268k -c:a aac -b:a 32k -ac 1",
    "720p": f"-f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 {H264} "
            "-profile:v high -b:v 2400k -maxrate 2400k -bufsize 2400k -nal-hrd cbr -c:a aac -b:a 128k -ac 2",
}


# ---------------------------------------------------------------- servers


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server under test: how it is started, and where it listens. `options` are the case's."""

    def __init__(self, args, folder, options):
        self.args, self.folder, self.options = args, folder, options
        self.rtmp, self.http = free_port(), free_port()

    def start(self, cpus):
        command, environment = self.command()
        log = open(self.folder / "server.log", "wb")
        pin = ["taskset", "-c", cpus, *priority(self.args)]
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

    def publish(self):
        return f"rtmp://127.0.0.1:{self.rtmp}/live/s{{}}"

    def play(self, how):
        return {
            "rtmp": self.publish(),
            "flv": f"http://127.0.0.1:{self.http}/live/s{{}}.flv",
            "hls": f"http://127.0.0.1:{self.http}/live/s{{}}.m3u8",
        }[how]

    def touch(self):
        """What starts HLS."""
        return None


class Sidestream(Server):
    name = "sidestream"

    def __init__(self, args, folder, options):
        super().__init__(args, folder, options)
        self.rtmps, self.https = free_port(), free_port()

    @staticmethod
    def missing(args):
        return None if args.binary.exists() else f"{args.binary} is not built"

    def command(self):
        environment = {
            "SIDESTREAM_RTMP__LISTEN": f"127.0.0.1:{self.rtmp}",
            "SIDESTREAM_HTTP__LISTEN": f"127.0.0.1:{self.http}",
            "SIDESTREAM_HLS__IDLE": "10m",
            # Longer than the idle case waits.
            "SIDESTREAM_RTMP__PLAY_WAIT": "10m",
            "SIDESTREAM_FANOUT__WORKERS": str(self.options.get("workers", 0)),
            "SIDESTREAM_FANOUT__BATCH": self.options.get("batch", "auto"),
        }
        if self.options.get("tls"):
            cert, key = self.folder / "cert.pem", self.folder / "key.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                 "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)],
                check=True, stderr=subprocess.DEVNULL,
            )
            for section, port in ("RTMPS", self.rtmps), ("HTTPS", self.https):
                listen = {"LISTEN": f"127.0.0.1:{port}", "CERT": str(cert), "KEY": str(key)}
                environment.update({f"SIDESTREAM_{section}__{name}": value for name, value in listen.items()})
        return [str(self.args.binary), "serve", "-q"], environment

    def play(self, how):
        return {
            "hls": f"http://127.0.0.1:{self.http}/live/s{{}}.ts.m3u8",
            "rtmps": f"rtmps://127.0.0.1:{self.rtmps}/live/s{{}}",
            "https-flv": f"https://127.0.0.1:{self.https}/live/s{{}}.flv",
        }.get(how) or super().play(how)

    def touch(self):
        return self.play("hls") if self.options.get("hls") else None


class Nginx(Server):
    name = "nginx-rtmp"

    @staticmethod
    def missing(_):
        if not (shutil.which("nginx") and pathlib.Path(NGINX_MODULE).exists()):
            return "not installed (Debian: nginx libnginx-mod-rtmp)"

    def command(self):
        workers, hls = self.options.get("workers") or 1, "on" if self.options.get("hls") else "off"
        (self.folder / "nginx.conf").write_text(f"""
daemon off; user root; master_process on; worker_processes {workers}; worker_rlimit_nofile 20000;
pid {self.folder}/nginx.pid; error_log {self.folder}/error.log warn; load_module {NGINX_MODULE};
events {{ worker_connections 16384; }}
rtmp_auto_push {"on" if workers > 1 else "off"}; rtmp_socket_dir {self.folder};
rtmp {{ server {{ listen 127.0.0.1:{self.rtmp}; chunk_size 4096;
  application live {{ live on; hls {hls}; hls_path {self.folder}/hls; hls_fragment 2s; hls_playlist_length 12s; }} }} }}
http {{ access_log off; types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  sendfile on; tcp_nopush on; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{self.http}; location /live/ {{ alias {self.folder}/hls/; add_header Cache-Control no-cache; }} }} }}
""")
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], {}


class Xiu(Server):
    name = "xiu"

    @staticmethod
    def missing(args):
        return None if args.xiu else "not installed (cargo install xiu --version 0.14.0, or --xiu PATH)"

    def command(self):
        (self.folder / "xiu.toml").write_text(f"""
[rtmp]
enabled = true
port = {self.rtmp}
gop_num = 1
[httpflv]
enabled = true
port = {self.http}
[hls]
enabled = false
port = {free_port()}
need_record = false
fragment = 2
[httpapi]
port = {free_port()}
[log]
level = "error"
[authsecret]
key = "x"
password = "x"
push_password = "x"
""")
        return [str(self.args.xiu), "-c", str(self.folder / "xiu.toml")], {}


class Limit(Server):
    name = "limit"

    @staticmethod
    def missing(args):
        return Sidestream.missing(args)

    def command(self):
        batch = self.options.get("batch", "0ms")
        media = self.args.media / f"{self.options['media']}.flv"
        return [str(self.args.binary), "bench", "limit", "--listen", f"127.0.0.1:{self.rtmp}", "--file", str(media), "--batch", batch], {}

    def publish(self):
        return None

    def play(self, _):
        return f"raw://127.0.0.1:{self.rtmp}"


# In the order of the table's columns.
KINDS = (Nginx, Xiu, Limit, Sidestream)


# ---------------------------------------------------------------- cases


def case(title, who, reach="", asked=None, **options):
    """`who` takes part, under the load and with the server's settings that `options` name.

    `reach` is the target in words, `asked` the same as upper (`…_least`: lower) bounds of figures."""
    return {"title": title, "who": who.split(), "reach": reach, "asked": asked or {}, "media": "360p", "play": "rtmp", **options}


ALL = "nginx-rtmp xiu limit sidestream"
OURS = "limit sidestream"
# What the reference, or for HLS nginx, needed on the machine where the targets in CPU seconds were set.
CASES = {
    "rtmp-1000": case("RTMP, 1000 viewers, 310 kbit/s, `0ms`", ALL, "≤ 1.1 × limit, p99 ≤ 8 ms", {"ratio": 1.1, "p99_ms": 8},
                      viewers=1000, batch="0ms"),
    "rtmp-3000": case("RTMP, 3000 viewers, `0ms`", ALL, "≤ 1.1 × limit, p99 ≤ 50 ms", {"ratio": 1.1, "p99_ms": 50}, viewers=3000, batch="0ms"),
    "rtmp-3000-b50": case("same, `50ms`", OURS, "≤ 1.1 × limit, p99 ≤ 75 ms", {"ratio": 1.1, "p99_ms": 75}, viewers=3000, batch="50ms"),
    "rtmp-3000-b350": case("same, `350ms`", OURS, "≤ 0.65 s/GB", {"s_per_gb": 0.65}, there=0.54, viewers=3000, batch="350ms"),
    "rtmp-720p": case("RTMP, 500 viewers, 2.5 Mbit/s, `0ms`", ALL, "≤ 0.95 s/GB", {"s_per_gb": 0.95}, there=0.87, viewers=500, media="720p", batch="0ms"),
    "rtmp-720p-b50": case("same, `50ms`", OURS, "≤ 0.42 s/GB", {"s_per_gb": 0.42}, there=0.39, viewers=500, media="720p", batch="50ms"),
    "rtmps-720p-b50": case("same, over TLS", "sidestream", viewers=500, media="720p", batch="50ms", play="rtmps", tls=True),
    "flv-720p-b50": case("HTTP-FLV, 500 viewers, 2.5 Mbit/s, `50ms`", "xiu limit sidestream", "≤ 0.43 s/GB", {"s_per_gb": 0.43}, there=0.39,
                         viewers=500, media="720p", play="flv", batch="50ms"),
    "https-flv-720p-b50": case("same, over TLS", "sidestream", viewers=500, media="720p", batch="50ms", play="https-flv", tls=True),
    "most": case("most viewers on one core, no loss, `auto`", "nginx-rtmp sidestream", "≥ 12 000 at p99 ≤ 300 ms", {"viewers_least": 12000, "p99_ms": 300},
                 kind="most", ramp=1000),
    "cores": case("two cores against one, 1000 viewers of one stream, `0ms`", "nginx-rtmp sidestream", "≥ 1.8 ×", {"times_least": 1.8},
                  kind="cores", viewers=1000, batch="0ms"),
    "memory": case("memory per RTMP viewer (of the runs with 3000 viewers, `0ms`)", ALL, "≤ 3 kB", {"kilobytes": 3}, runs="rtmp-3000", kind="memory"),
    "join": case("a join, server CPU (connect, play, key frame, leave; nginx-rtmp keeps no GOP: leave at the first media)", "nginx-rtmp xiu sidestream",
                 "≤ 120 µs, no 40 ms Nagle stall", {"join_us": 120, "join_p99_ms": 40}, kind="join", viewers=16, by={"nginx-rtmp": ["--leave", "media"]}),
    "hls": case("HLS TS, 500 viewers of 2.5 Mbit/s", "nginx-rtmp sidestream", "≤ 0.26 s/GB", {"s_per_gb": 0.26}, there=0.26,
                viewers=500, media="720p", play="hls", hls=True, ramp=200, window=10, warmup=4),
    "stalled-none": case("RTMP, 2000 viewers that all read, `50ms`", "sidestream", viewers=2000, batch="50ms", window=10),
    "stalled": case("1000 of 3000 viewers stop reading, `50ms`", "sidestream", "others: no loss, p99 unchanged; memory flat",
                    {"lost": 0, "p99_more_ms": 5, "grown_mib": 2}, kind="stalled", viewers=3000, batch="50ms", window=10, extra=["--stalled", "1000"]),
    "idle": case("10 000 idle viewers that wait for a stream", "sidestream", "hold", {"held_least": 10000, "served_least": 10000, "lost": 0},
                 kind="idle", viewers=10000, extra=["--mode", "wait", "--connect-timeout", "30s"]),
    "churn": case("2000 joins a second for a minute", "sidestream", "leaks nothing",
                  {"rate_least": 1990, "join_failures": 0, "files_more": 0, "grown_mib": 2}, kind="churn", viewers=200, reps=1,
                  extra=["--rate", "2000"], window=60, warmup=5),
    "publish": case("500 publishers at 310 kbit/s, nobody watching", "nginx-rtmp xiu sidestream", "≤ 0.20 core", {"cores": 0.20},
                    kind="publish", publishers=500),
    "publish-hls": case("same, HLS (MPEG-TS, 2 s) on", "nginx-rtmp sidestream", "≤ 0.30 core", {"cores": 0.30}, kind="publish", publishers=500, hls=True),
    "watch": case("1 publisher at 2.55 Mbit/s, 100 RTMP viewers joining at 15/s", "nginx-rtmp xiu sidestream",
                  "join p99 ≤ 5 ms, latency p50 / p99 ≤ 1 / 3 ms", {"join_p99_ms": 5, "p50_ms": 1, "p99_ms": 3}, viewers=100, media="720p", ramp=15),
}
MOST = {"sidestream": (12000, 16000), "nginx-rtmp": (3000, 4000, 5000, 6000)}
MOST_P99 = 0.3


# ---------------------------------------------------------------- one run


def priority(args):
    return ["chrt", "-f", "5"] if args.realtime else []


def make_media(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in MEDIA.items():
        path = folder / f"{name}.flv"
        if not path.exists():
            print(f"making {path}", file=sys.stderr)
            part = path.with_suffix(".part.flv")
            subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments.split(), str(part)], check=True)
            part.rename(path)


def run(args, kind, name, **change):
    """One run of a case; its JSON."""
    options = {**CASES[name], **change}
    if args.quick:
        window = 6 if options["play"] == "hls" else 2
        options.update(viewers=min(options.get("viewers", 0), 60), publishers=min(options.get("publishers", 1), 10), window=window, warmup=1)
        options["extra"] = ["--stalled", "20"] if options.get("kind") == "stalled" else options.get("extra", [])
    # Memory: what disks do is not measured.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        server = kind(args, pathlib.Path(folder), options)
        server.start(options.get("server_cpus", "0"))
        try:
            command = [
                "taskset", "-c", options.get("generator_cpus", "1"), *priority(args), str(args.binary), "bench", "--json",
                "--server-pid", str(server.process.pid), "--ramp", str(options.get("ramp", 1000)),
                "--window", f"{options.get('window', args.window)}s", "--warmup", f"{options.get('warmup', args.warmup)}s",
            ]
            if server.publish():
                command += ["--publish", server.publish(), "--file", str(args.media / f"{options['media']}.flv"),
                            "--publishers", str(options.get("publishers", 1))]
            if server.touch():
                command += ["--touch", server.touch()]
            if options.get("viewers"):
                command += ["--play", server.play(options["play"]), "--viewers", str(options["viewers"])]
            if options.get("kind") in ("join", "churn"):
                command += ["--mode", "churn"]
            if options.get("tls"):
                command += ["--ca", str(server.folder / "cert.pem")]
            command += options.get("extra", []) + options.get("by", {}).get(kind.name, [])
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                return {"failed": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"}
            return json.loads(done.stdout)
        finally:
            server.stop()


def patient(args, kind, name, **change):
    result = run(args, kind, name, **change)
    for _ in range(args.patience):
        if not result.get("doubts"):
            break
        print(f"{kind.name}, {name}: again, {'; '.join(result['doubts'])}", file=sys.stderr)
        result = run(args, kind, name, **change)
    return result


def measure(args, kind, name):
    """What one turn of a contestant gives: a list of runs."""
    special = CASES[name].get("kind")
    if special == "cores":
        # The generator shares both CPUs in both runs, so that it disturbs alike.
        one = patient(args, kind, name, workers=1, server_cpus="0", generator_cpus="0,1")
        two = patient(args, kind, name, workers=2, server_cpus="0,1", generator_cpus="0,1")
        return [one, two]
    if special == "most":
        held = []
        for viewers in MOST[kind.name]:
            result = patient(args, kind, name, viewers=viewers)
            if result.get("failed") or lost(result) or result["latency_s"]["p99"] > MOST_P99:
                break
            held = [result]
            if args.quick:
                break
        return held or [result]
    return [patient(args, kind, name)]


# ---------------------------------------------------------------- what is told


def lost(result):
    return result["frames"]["lost"] + result["viewers"]["failed"] + result["publishers"]["failed"]


def scaling(one, two):
    """How much more two cores can carry: what fills a core first, per byte, with one against two.

    With one worker on one core all of the server's work is on that core. With two, either the busiest
    thread fills its core, or all work together fills both."""
    per_byte = lambda result, seconds: seconds / result["viewers"]["bytes_received"]
    alone = per_byte(one, one["server"]["cpu_s"])
    together = per_byte(two, max(two["server"]["busiest_thread_s"], two["server"]["cpu_s"] / 2))
    return alone / together


def number(value):
    """Three digits, never as a power of ten."""
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def figures(name, turns):
    """Medians: as text, and by name for the target."""
    broken = [r["failed"] for turn in turns for r in turn if r.get("failed")]
    if broken:
        return f"failed: {broken[0]}", {}
    runs = [turn[0] for turn in turns]
    median = lambda value: statistics.median(value(r) for r in runs)
    mib = lambda r, when: r["server"][when]["pss_bytes"] / 2**20
    milliseconds = lambda key, q: median(lambda r: r[key][q]) * 1e3
    both = lambda key: f"{number(milliseconds(key, 'p50'))} / {number(milliseconds(key, 'p99'))} ms"
    loss = sum(lost(r) for turn in turns for r in turn)
    values = {
        "lost": loss,
        "p50_ms": milliseconds("latency_s", "p50"),
        "p99_ms": milliseconds("latency_s", "p99"),
        "join_p99_ms": milliseconds("join_s", "p99"),
        "cores": median(lambda r: r["server"]["cores"]),
    }
    doubtful = " ?" if any(r["doubts"] for turn in turns for r in turn) else ""
    tail = (f", **{loss} lost**" if loss else "") + doubtful
    special = CASES[name].get("kind")
    if special == "publish":
        each = median(lambda r: r["server"]["bytes_per_publisher"]) / 1024
        return f"{values['cores']:.3f} core, {each:.0f} KiB a publisher{tail}", values
    if special == "join":
        values["join_us"] = median(lambda r: r["churn"]["server_s_per_join"] or 0) * 1e6
        return f"{values['join_us']:.0f} µs, {both('first_media_s')}, {median(lambda r: r['churn']['joins_per_s']):.0f} a second{doubtful}", values
    if special == "churn":
        values["rate"] = median(lambda r: r["churn"]["joins_per_s"])
        values["join_failures"] = sum(r["churn"]["failed"] for r in runs)
        before, after = (int(median(lambda r: r["server"][key])) for key in ("open_files_before_viewers", "open_files_after"))
        values["files_more"] = after - before
        values["grown_mib"] = median(lambda r: mib(r, "memory_after") - mib(r, "memory_start"))
        moments = ("memory_before_viewers", "memory_start", "memory_peak", "memory_after")
        sizes = " / ".join(f"{median(lambda r: mib(r, when)):.1f}" for when in moments)
        return (f"{values['rate']:.0f} a second, {values['join_failures']} failed; memory before / after 5 s / peak / after {sizes} MiB, "
                f"open files before / after {before} / {after}{doubtful}"), values
    if special == "idle":
        held, served = (min(r["waiting"][key] for r in runs) for key in ("held", "served"))
        values.update(held=held, served=served)
        each = median(lambda r: r["server"]["bytes_per_viewer"]) / 1000
        after = median(lambda r: r["waiting"]["served_after_s"] or 0)
        return (f"{held} hold, {each:.2f} kB each, {values['cores']:.3f} core; then a publisher: {served} have their picture {after:.2f} s after its start"
                f"{tail}"), values
    if special == "memory":
        values["kilobytes"] = median(lambda r: r["server"]["bytes_per_viewer"]) / 1000
        return f"{values['kilobytes']:.2f} kB", values
    if special == "cores":
        values["times"] = statistics.median(scaling(*turn) for turn in turns)
        return f"{values['times']:.2f} ×{tail}", values
    if special == "most":
        values["viewers"] = median(lambda r: r["viewers"]["count"])
        return f"{number(values['viewers'])} at {both('latency_s')}, {values['cores']:.2f} core{tail}", values
    values["s_per_gb"] = median(lambda r: r["server"]["cpu_s_per_gb"] or 0)
    text = f"{number(values['s_per_gb'])} s/GB, {both('latency_s')}"
    if special == "stalled":
        values["grown_mib"] = median(lambda r: mib(r, "memory_peak") - mib(r, "memory_start"))
        each = median(lambda r: r["server"]["bytes_per_viewer"]) / 1000
        text += f", memory {values['grown_mib']:+.1f} MiB in the window, {each:.2f} kB a viewer"
    if CASES[name]["play"] == "hls":
        segment = " / ".join(number(median(lambda r: r["hls"]["segment_s"][q]) * 1e3) for q in ("p50", "p99"))
        text = f"{number(values['s_per_gb'])} s/GB, segment {segment} ms"
    if name == "watch":
        text += f", join {both('join_s')}"
    return text + tail, values


UNITS = {"ratio": " × limit", "s_per_gb": " s/GB", "p50_ms": " ms p50", "p99_ms": " ms p99", "join_p99_ms": " ms join p99", "cores": " core", "join_us": " µs",
         "kilobytes": " kB", "times": " ×", "grown_mib": " MiB grown", "lost": " lost", "files_more": " files more", "p99_more_ms": " ms p99 more",
         "viewers": " viewers", "held": " held", "served": " served", "rate": " a second", "join_failures": " failed"}


def verdict(name, values, reference):
    """Whether ours reached what was asked; `reference` is whose CPU the target's was set against."""
    asked, there = CASES[name]["asked"], CASES[name].get("there")
    if not asked:
        return "–"
    if any(key.removesuffix("_least") not in values for key in asked):
        return "not measured"
    missed = []
    for key, bound in asked.items():
        what = key.removesuffix("_least")
        if values[what] < bound if key.endswith("_least") else values[what] > bound:
            missed.append((what, bound))
    if not missed:
        return "yes"
    told = []
    for what, bound in missed:
        text = f"{number(values[what])}{UNITS[what]}"
        if what == "s_per_gb" and there and reference.get(what):
            against = "nginx" if CASES[name]["play"] == "hls" else "limit"
            text += f" ({values[what] / reference[what]:.2f} × {against}; asked: {bound / there:.2f} × the {there} of the machine it was set on)"
        told.append(text)
    return f"**no**: {', '.join(told)}"


def table(results):
    names = [kind.name for kind in KINDS]
    head = ["case", *names, "reach", "reached?"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    told = {}
    for name in CASES:
        turns = results.get(CASES[name].get("runs", name))
        if not turns:
            continue
        cells = {who: figures(name, turns[who]) for who in names if turns.get(who)}
        text = {who: cells[who][0] if who in cells else "–" for who in names}
        values = {who: cells[who][1] if who in cells else {} for who in names}
        told[name] = ours = values["sidestream"]
        limit = values["limit"]
        if ours.get("s_per_gb") and limit.get("s_per_gb"):
            ours["ratio"] = ours["s_per_gb"] / limit["s_per_gb"]
            text["sidestream"] += f", {ours['ratio']:.2f} × limit"
        if name == "stalled" and "stalled-none" in told:
            ours["p99_more_ms"] = ours["p99_ms"] - told["stalled-none"]["p99_ms"]
        reference = values["nginx-rtmp"] if CASES[name]["play"] == "hls" else limit
        cells = [CASES[name]["title"], *(text[who] for who in names), CASES[name]["reach"] or "–", verdict(name, ours, reference)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def describe(records):
    """Commit, kernel and settings of runs, for the table."""
    of = lambda key: " and ".join(sorted({str(record[key]) for record in records}))
    turns = max(record["turn"] for record in records) + 1
    return (f"Commit {of('commit')}, {of('day')}, Linux {of('kernel')}, `{of('command')}`. Medians of {turns} (one run of a minute of joins); "
            "s/GB are CPU seconds of the server per 10⁹ bytes received, then latency p50 / p99 (a join: to its first media); `?` marks cases with a doubtful run.")


def about(args):
    """What is the same for all runs of this start."""
    git = lambda *words: subprocess.run(["git", "-C", str(ROOT), *words], stdout=subprocess.PIPE, text=True).stdout.strip()
    command = f"benches/compare.py --reps {args.reps} --window {args.window:g} --warmup {args.warmup:g}" + (" --realtime" if args.realtime else "")
    return {"commit": git("rev-parse", "--short", "HEAD") or "unknown", "day": time.strftime("%-d %B %Y", time.gmtime()),
            "kernel": os.uname().release, "command": command}


def gather(records):
    """Runs as `case -> contestant -> turns -> runs`."""
    results = defaultdict(lambda: defaultdict(list))
    for record in records:
        results[record["case"]][record["name"]].append(record["runs"])
    return results


BEGIN, END = "<!-- compare.py writes from here -->", "<!-- compare.py writes to here -->"


def write_markdown(path, text):
    document = path.read_text()
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        sys.exit(f"{path}: the lines {BEGIN!r} and {END!r} are not there once each; put them back")
    before, rest = document.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cargo = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "bin/xiu"
    parser.add_argument("--binary", type=pathlib.Path, default=target / "release/sidestream", help="server and generator")
    parser.add_argument("--xiu", type=pathlib.Path, default=shutil.which("xiu") or (cargo if cargo.exists() else None), help="xiu's binary")
    parser.add_argument("--media", type=pathlib.Path, default=target / "bench-media", help="folder of the media, made when they are not there")
    parser.add_argument("--cases", default=",".join(CASES), help="which of " + ", ".join(CASES))
    parser.add_argument("--servers", default=",".join(kind.name for kind in KINDS), help="which of these")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--window", type=float, default=8, help="seconds measured, unless the case has its own")
    parser.add_argument("--warmup", type=float, default=3)
    parser.add_argument("--quick", action="store_true", help="one small, short run of each: correctness only")
    parser.add_argument("--patience", type=int, default=0, help="how often a doubtful run is repeated")
    parser.add_argument("--realtime", action="store_true", help="run both before all else of the machine (root)")
    parser.add_argument("--out", type=pathlib.Path, help="append each turn of a contestant as a line of JSON")
    parser.add_argument("--report", type=pathlib.Path, help="measure nothing: tell of the runs in a file that --out wrote")
    parser.add_argument("--markdown", type=pathlib.Path, nargs="?", const=ROOT / "docs/BENCHMARKS.md", help="write the table there [docs/BENCHMARKS.md]")
    args = parser.parse_args()
    if args.quick:
        args.reps = 1
    cases = args.cases.split(",")
    unknown = [c for c in cases if c not in CASES] + [s for s in args.servers.split(",") if s not in [k.name for k in KINDS]]
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such case or server; see --help")
    if args.report:
        records = [json.loads(line) for line in args.report.read_text().splitlines()]
    else:
        records = measure_all(args, [name for name in cases if "runs" not in CASES[name]])
    text = f"{describe(records)}\n\n{table(gather(records))}"
    print(f"\n{text}")
    if args.markdown:
        write_markdown(args.markdown, text)


def measure_all(args, cases):
    kinds = [kind for kind in KINDS if kind.name in args.servers.split(",")]
    for kind in list(kinds):
        if why := kind.missing(args):
            print(f"{kind.name}: {why}: left out", file=sys.stderr)
            kinds.remove(kind)
    make_media(args.media)
    records, same = [], about(args)
    for name in cases:
        for turn in range(min(args.reps, CASES[name].get("reps", args.reps))):
            for kind in kinds:
                if kind.name not in CASES[name]["who"]:
                    continue
                record = {"case": name, "name": kind.name, "turn": turn, **same, "runs": measure(args, kind, name)}
                records.append(record)
                if args.out:
                    with args.out.open("a") as out:
                        print(json.dumps(record), file=out)
        for who, turns in gather(records)[name].items():
            print(f"{name:15} {who:11} {figures(name, turns)[0]}", flush=True)
    return records


if __name__ == "__main__":
    main()
