"""A real server on a free port with a database of its own, and the tools to talk to it.

GRADD names another binary (default: build/gradd), or the URL of a server that runs already: then tests that start and
stop servers of their own are skipped, with that reason.
"""
import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRADD = os.environ.get("GRADD", str(ROOT / "build" / "gradd"))
IS_URL = GRADD.startswith(("http://", "https://"))
START_SECONDS = 20
STOP_SECONDS = 10


class Server:
    """A process that serves; url, host and port are where, database is its file."""

    def __init__(self, database, *options, environment=None):
        self.database = database
        self.log_path = pathlib.Path(str(database) + ".log")
        self.log_file = open(self.log_path, "ab")
        command = [GRADD, "serve", "--listen", "127.0.0.1:0", "--db", str(database), *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log_file, env={**os.environ, **(environment or {})}
        )
        try:
            self.line = self._read_line()
            match = re.fullmatch(r"gradd \S+ listening on (http://\S+)\n", self.line)
            assert match, f"the server said {self.line!r}; its log: {self.log()}"
        except BaseException:
            self.kill()
            raise
        self.url = match[1]
        self.host, self.port = "127.0.0.1", urllib.parse.urlsplit(self.url).port

    def _read_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        assert ready, f"the server said nothing in {START_SECONDS} s; its log: {self.log()}"
        return self.process.stdout.readline().decode()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        """Ends it as an operator would; returns the exit status and how many seconds it took."""
        start = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(STOP_SECONDS)
        finally:
            self.kill()
        return status, time.monotonic() - start

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log_file.close()


class RunningServer:
    """A server that somebody else runs."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        self.host, self.port = parts.hostname, parts.port or 80


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that all tests share."""
    if IS_URL:
        yield RunningServer(GRADD)
        return
    running = Server(tmp_path_factory.mktemp("gradd") / "gradd.db")
    yield running
    status, _ = running.stop()
    assert status == 0, f"the server ended with status {status}; its log: {running.log()}"


@pytest.fixture
def start(tmp_path):
    """start(*options, database=, environment=): a server of the test's own; stopped at its end."""
    if IS_URL:
        pytest.skip("GRADD is the URL of a running server")
    with contextlib.ExitStack() as stack:

        def run(*options, database=tmp_path / "own.db", environment=None):
            running = Server(database, *options, environment=environment)
            stack.callback(running.kill)
            return running

        yield run


class Client(requests.Session):
    """A session whose paths are relative to the server."""

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.trust_env = False

    def request(self, method, path, *args, **kwargs):
        kwargs.setdefault("timeout", 60)
        return super().request(method, self.url + path if path.startswith("/") else path, *args, **kwargs)


@pytest.fixture
def client(server):
    """client.get("/v1/models"), client.post("/v1/jobs", json={...}), ..."""
    with Client(server.url) as session:
        yield session


class RawConnection:
    """Bytes to and from a socket, and an answer taken apart by hand."""

    def __init__(self, host, port, timeout=10):
        self.socket = socket.create_connection((host, port), timeout)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def _read_until(self, mark):
        while mark not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"closed after {self.buffer!r}")
            self.buffer += data
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def _read_exactly(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"closed after {len(self.buffer)} of {count} bytes")
            self.buffer += data
        body, self.buffer = self.buffer[:count], self.buffer[count:]
        return body

    def answer(self, head=False):
        """(status, {lower-case name: value}, body); 100 Continue is left out. head: the answer has no body."""
        lines = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        if status == 100:
            return self.answer(head)
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        length = 0 if head or status in (204, 304) else int(headers["content-length"])
        return status, headers, self._read_exactly(length)

    def ended(self):
        """Whether the server closes the connection, with nothing more to say."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def raw(server):
    """raw(): a connection of its own to the server."""
    with contextlib.ExitStack() as stack:

        def connect(timeout=10):
            return stack.enter_context(RawConnection(server.host, server.port, timeout))

        yield connect


@pytest.fixture
def run_gradd():
    """run_gradd("version"): the finished process of another command."""
    if IS_URL:
        pytest.skip("GRADD is the URL of a running server")

    def run(*arguments, environment=None, timeout=30):
        return subprocess.run(
            [GRADD, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(environment or {})},
            check=False,
        )

    return run


def problem_of(answer, status, code=None):
    """The problem document of an answer, checked for its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"]
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("/problems/")
    assert document["title"]
    if "errors" in document:
        assert document["error_count"] >= len(document["errors"]) >= 1
        for item in document["errors"]:
            assert item["code"] and item["detail"]
    if code is not None:
        codes = {document["type"].removeprefix("/problems/"), *(e["code"] for e in document.get("errors", []))}
        assert code in codes, document
    return document


@pytest.fixture(scope="session")
def problem():
    """problem(answer, status, code): checks a problem document and returns it."""
    return problem_of
