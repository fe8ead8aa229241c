"""An engine that breaks off, or says strange things, while it builds. It is a small server that plays one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagegate.build.builder import BuildRequest, BuiltImage
from imagegate.build.docker import DockerBuilder
from imagegate.errors import BuildError, ImagegateError, NetworkError
from imagegate.image.source import ImageSource
from imagegate.model import Platform, RegistryRef
from imagegate.settings import Docker, Limits

SECRET = "hunter2-of-the-build"
DONE = [{"stream": "Step 1/1 : FROM scratch\n"}, {"aux": {"ID": "sha256:1"}}, {"stream": "Successfully built 1\n"}]


@contextmanager
def engine(messages: list[object], *, status: int = 200, broken: bool = False) -> Iterator[str]:
    """Yield the host of an engine whose build says these messages; broken: it ends in the middle of a chunk."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            self.answer(json.dumps({"ApiVersion": "1.41"}).encode())

        def do_POST(self) -> None:
            while size := int(self.rfile.readline(), 16) if self.headers.get("Transfer-Encoding") else 0:
                self.rfile.read(size + 2)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            end = b"ffff\r\nbroken" if broken else b"0\r\n\r\n"
            self.wfile.write(b"%x\r\n%s\r\n%s" % (len(body), body, end))
            self.close_connection = True

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def never(reference: RegistryRef) -> ImageSource:
    raise AssertionError(f"asked for {reference}")


def build(host: str, context: Path, text: str = "FROM scratch\n") -> tuple[BuiltImage, list[str]]:
    said: list[str] = []
    request = BuildRequest(context, text, (), Platform(), build_args={"PASSWORD": SECRET})
    return DockerBuilder(Docker(host=host, timeout=5), never, Limits()).build(request, said.append), said


def test_the_fake_engine_can_build(tmp_path: Path) -> None:
    with engine(list(DONE)) as host:
        built, said = build(host, tmp_path)
    assert built.id == "sha256:1"
    assert said == ["Step 1/1 : FROM scratch", "Successfully built 1"]


def test_a_build_that_breaks_off_is_no_image(tmp_path: Path) -> None:
    with engine(list(DONE), broken=True) as host, pytest.raises(NetworkError, match="broke off") as caught:
        build(host, tmp_path)
    assert SECRET not in str(caught.value)


def test_a_build_that_ends_without_an_image_is_an_error(tmp_path: Path) -> None:
    with engine(list(DONE[:1])) as host, pytest.raises(BuildError, match="without an image"):
        build(host, tmp_path)


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_refusal_shows_the_engines_word_and_no_argument(tmp_path: Path, status: int) -> None:
    with engine([{"message": "not today"}], status=status) as host, pytest.raises(ImagegateError) as caught:
        build(host, tmp_path)
    assert "not today" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "step", ["FROM evil", "FROM --platform=linux/amd64 evil AS x", "COPY --chown=1 --from=evil / /", "from $EVIL"]
)
def test_a_step_that_takes_in_another_image_is_caught(tmp_path: Path, step: str) -> None:
    messages = [DONE[0], {"stream": f"Step 2/2 : {step}\n"}, *DONE[1:]]
    with engine(messages) as host, pytest.raises(BuildError, match="which is not verified"):
        build(host, tmp_path)


def test_steps_that_name_stages_are_fine(tmp_path: Path) -> None:
    text = "FROM scratch AS one\nFROM scratch\nCOPY --from=one / /\nCOPY --from=0 / /\n"
    steps = [{"stream": f"Step {n}/4 : {line}"} for n, line in enumerate(text.splitlines(), 1)]
    with engine([*steps, *DONE[1:]]) as host:
        assert build(host, tmp_path, text)[0].id == "sha256:1"
