"""Programs of others, until the end of a `with`."""

import os
import pathlib
import signal
import socket
import subprocess
import time


class NotStarted(Exception):
    pass


def run(command, **options):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    except FileNotFoundError as error:
        raise NotStarted(f"{command[0]} is not installed") from error
    if done.returncode:
        raise NotStarted(f"{command[0]} {command[-1]}: {done.stdout.strip()[-300:]}")
    return done.stdout


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Process:
    """A command and all that it starts."""

    def __init__(self, command, log, environment=None):
        self.log = pathlib.Path(log)
        with open(self.log, "w") as output:
            try:
                self.child = subprocess.Popen(
                    [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True, env={**os.environ, **(environment or {})})
            except FileNotFoundError as error:
                raise NotStarted(f"{command[0]} is not installed") from error

    def wait_until(self, ready, seconds=30):
        """Until it's ready, for which no program has a better sign than that it answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = ready()
            if answer:
                return answer
            if self.child.poll() is not None:
                break
            time.sleep(0.05)
        text = self.log.read_text().strip()[-400:]
        self.stop()
        raise NotStarted(f"{self.child.args[0]} did not start: {text}")

    def listens(self, port):
        def ready():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return True
            except OSError:
                return False
        self.wait_until(ready)
        return port

    def says(self, beginning):
        """The first line of its output that begins so."""
        return self.wait_until(lambda: next(
            (line for line in self.log.read_text().splitlines() if line.startswith(beginning)), None))

    def stop(self):
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.child.pid, kind)
                self.child.wait(timeout=10)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue
