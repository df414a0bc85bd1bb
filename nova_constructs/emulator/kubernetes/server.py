"""The HTTPS server of one cluster's API, on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.kubernetes import requests
from nova_constructs.emulator.kubernetes.api import Answer, Api, refusal
from nova_constructs.emulator.kubernetes.certificates import Authority
from nova_constructs.emulator.kubernetes.faults import ApiFaults, Fault
from nova_constructs.emulator.kubernetes.status import StatusError

_HANDSHAKE_SECONDS = 10.0
_POLL_SECONDS = 0.05
_LARGEST = 3 * 1024 * 1024


class ApiServer:
    """Listens until `stop`; `present` changes the certificate that new connections see."""

    def __init__(self, api: Api, faults: ApiFaults, clock: SimulatedClock, authority: Authority) -> None:
        self.api, self.faults, self.clock = api, faults, clock
        self.context = authority.context
        self.port = 0
        self.stopped = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self.stopped.clear()
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        target = self._server.serve_forever
        self._thread = threading.Thread(target=target, args=(_POLL_SECONDS,), name="kubernetes-api", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self.stopped.set()
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()
        self._server = None

    def present(self, authority: Authority) -> None:
        """Present the certificate of an authority from now on."""
        self.context = authority.context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, owner: ApiServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", owner.port), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; its handshake is left to the thread that serves it."""
        plain, address = super().get_request()
        plain.settimeout(_HANDSHAKE_SECONDS)
        secure = self.owner.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(secure)
        return secure, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Close every connection, whatever it waits for."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that callers break off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        """Shake hands, then go on as usual."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
            self.request.settimeout(None)
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep requests off stderr."""

    def _serve(self) -> None:
        owner = self.server.owner
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST:
            self.close_connection = True
            return self._send(refusal(StatusError(413, "Request entity too large: limit is 3145728")))
        body = self.rfile.read(length)
        with owner.clock.busy():
            answer = self._answer(owner, body)
        if answer is None or owner.stopped.is_set():
            self.close_connection = True
            return None
        return self._send(answer)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve  # noqa: N815  # names of the base class

    def _answer(self, owner: ApiServer, body: bytes) -> Answer | None:
        try:
            request = requests.read(self.command, self.path, dict(self.headers.items()), body)
        except StatusError as error:
            return refusal(error)
        if fault := owner.faults.take("hang", request.verb, request.plural):
            with owner.clock.released():
                _wait(owner, fault, self.connection)
            return None
        if fault := owner.faults.take("error", request.verb, request.plural):
            return _injected(fault)
        answer = owner.api.answer(request)
        return None if owner.faults.take("lose", request.verb, request.plural) else answer

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


def _wait(owner: ApiServer, fault: Fault, connection: socket.socket) -> None:
    """Keep a caller waiting for as long as the fault goes on and the caller waits."""
    connection.settimeout(_POLL_SECONDS)
    while owner.faults.goes_on(fault) and not owner.stopped.is_set() and not owner.clock.stopped:
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def _injected(fault: Fault) -> Answer:
    answer = refusal(StatusError(fault.status, fault.message))
    if fault.retry_after is None:
        return answer
    return Answer(code=answer.code, body=answer.body, headers={"Retry-After": str(fault.retry_after)})
