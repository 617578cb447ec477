"""What the benchmarks share: running programs, their CPU time and memory, medians, and tables."""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def say(text):
    print(text, file=sys.stderr, flush=True)


def build(*examples):
    """Builds the release programs, and examples by name; returns the folder they are in."""
    cargo = ["cargo", "build", "--release", "--locked"]
    subprocess.run([*cargo, "--bins"], cwd=ROOT, check=True)
    for name in examples:
        # By itself: what only tests and examples need would change the programs.
        subprocess.run([*cargo, "--example", name], cwd=ROOT, check=True)
    return TARGET / "release"


class Process:
    """A program whose CPU time and peak memory are watched while it runs."""

    def __init__(self, command, folder, log="program.log"):
        self.log = open(Path(folder) / log, "ab")
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def cpu_seconds(self):
        """CPU seconds so far: to the nanosecond as the scheduler counts those of living threads, or
        to the hundredth with those of threads that have ended, whichever is more."""
        total = 0
        for task in Path(f"/proc/{self.child.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass  # The thread has ended in the meantime.
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return max(total / 1e9, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))

    def memory_mib(self, field="VmRSS"):
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        return 0.0

    def is_running(self):
        """Whether it has not ended; one that has stays in /proc until it is stopped."""
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self.child.returncode is None and os.waitid(os.P_PID, self.child.pid, ended) is None

    def stop(self):
        if self.is_running():
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


class Kafka:
    """A broker of scripts/kafka for as long as the benchmark runs."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.script = ROOT / "scripts" / "kafka"
        self.address = self.run(
            "start", "--parent", str(os.getpid()), "--heap", "1g",
            "--property", "log.retention.hours=-1", *options,
        ).strip().splitlines()[-1]
        self.jars = self.run("jars").strip().splitlines()[-1]

    def run(self, *arguments):
        environment = {**os.environ, "KAFKA_CLUSTER_DIR": str(self.folder)}
        done = subprocess.run(
            [self.script, *arguments], env=environment, stdout=subprocess.PIPE, text=True
        )
        if done.returncode != 0:
            sys.exit(f"scripts/kafka {' '.join(arguments)} failed")
        return done.stdout

    def fill(self, topic, partitions, *what):
        """Makes a topic and writes records by Kafka's own tool."""
        self.run("create-topic", topic, "--partitions", str(partitions))
        # Of many partitions each has a batch under way; together they must not wait for so long that
        # the tool gives them up.
        batch = max(1_000_000 // partitions, 16_384)
        self.run(
            "tool", "org.apache.kafka.tools.ProducerPerformance", "--topic", topic,
            *(str(word) for word in what), "--throughput", "-1", "--producer-props",
            f"bootstrap.servers={self.address}", f"batch.size={batch}", "linger.ms=20",
            "max.request.size=20000000", f"buffer.memory={max(100 * batch, 64_000_000)}",
            "request.timeout.ms=300000", "delivery.timeout.ms=600000", "max.block.ms=600000",
            # Batches that a partition refuses while it is still being made are just sent again.
            "enable.idempotence=false", "acks=1",
        )

    def remove(self):
        self.run("remove")


def peer(name, variable=None):
    """The path of a peer, or nothing, said loudly."""
    path = os.environ.get(variable) if variable else shutil.which(name)
    if path and Path(path).exists():
        return path
    how = f"set {variable} to its path" if variable else "install it"
    say(f"PEER MISSING: {name} is not measured; {how} to have it in the table")
    return None


def median(values):
    return statistics.median(values)


def table(headings, rows):
    """Prints a Markdown table."""
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
