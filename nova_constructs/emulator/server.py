"""The HTTP server: moto behind a wrapper that applies faults, checks parameters and fails clearly."""

from __future__ import annotations

import errno
import io
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

from nova_constructs.emulator import caches
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.requests import ApiRequest, error_response, identify, problems
from nova_constructs.emulator.state import EmulatorState, InjectedResponse, Undo

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
_DRAIN_SECONDS = 5.0
_READS = ("Describe", "List", "Get", "Head", "Scan", "Query")
_READ_TRIES = 10


class PortInUseError(OSError):
    """The port is taken by another program."""


class _QuietHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Keep requests off stderr."""

    def connection_dropped(self, error: BaseException, environ: Environ | None = None) -> None:  # noqa: ARG002
        """Close the connection at once, so that a caller whose answer is dropped does not wait for it."""
        self.close_connection = True


class Application:
    """WSGI application in front of moto."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._count = threading.Condition()
        self._running = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with self._count:
            self._running += 1
        try:
            with self._state.clock.busy():
                return self._respond(environ, start_response)
        finally:
            with self._count:
                self._running -= 1
                self._count.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait until no request is being answered, at most some real seconds."""
        with self._count:
            self._count.wait_for(lambda: self._running == 0, timeout=seconds)

    def _respond(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = get_input_stream(environ).read()
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        request = identify(environ, body)
        if request is None:
            return self._run(environ, start_response, "s3", "rest-xml", tries=1)
        refused = self._faults(request, "before") or _invalid(request)
        if refused:
            return _inject(request, refused, start_response)
        answer: list[Any] = []
        tries = _READ_TRIES if request.operation.startswith(_READS) else 1
        chunks = self._run(environ, lambda *args: answer.append(args), request.service, request.protocol, tries=tries)
        raw = b"".join(chunks)
        replaced = self._faults(request, "after")
        if replaced:
            return _inject(request, replaced, start_response)
        start_response(*answer[-1])
        return [raw]

    def _faults(self, request: ApiRequest, phase: str) -> InjectedResponse | None:
        injected: InjectedResponse | None = self._state.faults.on_request(request.service, request.operation, phase)
        return injected

    def _run(
        self, environ: Environ, start_response: StartResponse, service: str, protocol: str, *, tries: int
    ) -> Iterable[bytes]:
        try:
            return self._ask_moto(environ, start_response, tries)
        except NotImplementedError as error:
            answer = InjectedResponse(code="NotImplemented", message=_not_emulated(error, environ), status=501)
        except Exception as error:
            log.exception("%s %s failed", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            answer = InjectedResponse(code="InternalFailure", message=f"{type(error).__name__}: {error}", status=500)
        status, headers, raw = error_response(service, protocol, answer)
        start_response(status, headers)
        return [raw]

    def _ask_moto(self, environ: Environ, start_response: StartResponse, tries: int) -> list[bytes]:
        """Return moto's answer. Its stores have no locks: reading one while another thread writes to it can fail."""
        for left in reversed(range(tries)):
            try:
                return list(self._moto(environ, start_response))
            except RuntimeError as error:
                if not left or "during iteration" not in str(error):
                    raise
                environ["wsgi.input"].seek(0)
        raise AssertionError


def listen(port: int) -> socket.socket:
    """Bind 127.0.0.1; raises PortInUseError with what to do about it."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortInUseError(error.errno, f"port {port} is in use; choose another one, or 0 for a free one") from None


def install(state: EmulatorState, listener: socket.socket) -> Undo:
    """Serve moto on a bound socket and point the state at it."""
    port = listener.getsockname()[1]
    state.endpoint = f"http://localhost:{port}"
    patches = Patches()
    caches.install(patches)
    restore = _configure_moto(state, port)
    application = Application(state)
    # The descriptor is duplicated by the server, so ours is closed here.
    server = make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
    )
    listener.close()
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), name="emulator-server")
    thread.start()

    def undo() -> None:
        # What is being answered may call the server itself, so it goes on serving until then.
        application.drain(_DRAIN_SECONDS)
        server.shutdown()
        thread.join()
        server.server_close()
        restore()
        patches.undo()

    return undo


def _configure_moto(state: EmulatorState, port: int) -> Callable[[], None]:
    wanted = {"MOTO_PORT": str(port), "MOTO_ACCOUNT_ID": state.account}
    before = {name: os.environ.get(name) for name in wanted}
    executing = default_user_config["stepfunctions"]["execute_state_machine"]
    os.environ.update(wanted)
    default_user_config["stepfunctions"]["execute_state_machine"] = True

    def restore() -> None:
        default_user_config["stepfunctions"]["execute_state_machine"] = executing
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return restore


def _invalid(request: ApiRequest) -> InjectedResponse | None:
    found = problems(request)
    if not found:
        return None
    message = f"{len(found)} validation error(s) detected: " + "; ".join(found)
    return InjectedResponse(code="ValidationException", message=message, status=400)


def _inject(request: ApiRequest, answer: InjectedResponse, start_response: StartResponse) -> Iterable[bytes]:
    if answer.drop:
        raise ConnectionAbortedError("dropped by an injected fault")
    status, headers, raw = error_response(request.service, request.protocol, answer)
    start_response(status, headers)
    return [raw]


def _not_emulated(error: NotImplementedError, environ: Environ) -> str:
    asked = environ.get("HTTP_X_AMZ_TARGET") or f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
    return f"the emulator does not implement {asked}: {error}"
