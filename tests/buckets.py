"""Object storage on loopback: moto's S3 behind a real socket, with what was asked of it, and faults on demand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
BUCKET = "days"
POLL_S = 0.05
"""How long its end may take."""

Answer = tuple[str, bytes] | None
"""A status line and a body instead of the store's own."""


class Buckets:
    """A server with one bucket. `asked` is every request as method and path; `fault` may answer one in the store's stead."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.asked: list[str] = []
        self.fault: Callable[[str], Answer] = lambda asked: None
        self._backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._backend.create_bucket(BUCKET, "us-east-1")

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which `s3://` means this server."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.endpoint}

    def url(self, prefix: str) -> str:
        """A store's."""
        return f"s3://{BUCKET}/{prefix}"

    def fetched(self) -> list[str]:
        """The day files that were read, once for each time."""
        return [one.rpartition("/")[2] for one in self.asked if one.startswith("GET ") and one.endswith(".h5")]

    def put(self, name: str, body: bytes) -> None:
        """Store something past the socket."""
        self._backend.put_object(BUCKET, name, body)

    def get(self, name: str) -> bytes:
        """Read something past the socket."""
        found = self._backend.get_object(BUCKET, name)
        assert found is not None
        body: bytes = found.value
        return body

    def delete(self, name: str) -> None:
        """Remove something past the socket."""
        self._backend.delete_object(BUCKET, name)


@contextmanager
def serving() -> Iterator[Buckets]:
    """A server for as long as the block lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = DomainDispatcherApplication(create_backend_app)
    buckets: list[Buckets] = []

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        buckets[0].asked.append(asked)
        answer = buckets[0].fault(asked)
        if answer is None:
            return moto(environ, start)  # type: ignore[no-any-return]
        start(answer[0], [("Content-Length", str(len(answer[1])))])
        return [answer[1]]

    server = make_server("127.0.0.1", 0, app, threaded=True)
    buckets.append(Buckets(f"http://127.0.0.1:{server.port}"))
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
    thread.start()
    try:
        yield buckets[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
