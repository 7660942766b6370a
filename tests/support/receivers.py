"""Real receivers of messages: a webhook and a mail server on ports of this machine."""

import asyncio
import email
import email.policy
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """What came in; `status` is what it answers, `hang` makes it answer nothing."""

    port: int = 0
    status: int = 200
    hang: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, for apprise."""
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        """The titles of what came in."""
        return [message["title"] for message in self.messages]

    @property
    def text(self) -> str:
        """All that came in."""
        return "\n".join(f"{message['title']}\n{message['message']}" for message in self.messages)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook that takes apprise's JSON."""
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.status == 200:
                found.messages.append(json.loads(body))
            found.paths.append(self.path)
            if found.hang:
                found.released.wait(60)
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        found.released.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """The mails that came in, decoded; `delay` is how late it answers."""

    port: int = 0
    delay: float = 0
    mails: list[email.message.EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, for apprise."""
        return f"mailto://127.0.0.1:{self.port}?smtp=127.0.0.1&port={self.port}&from=stocks@example.com&to=team@example.com&format=text"

    def bodies(self) -> list[str]:
        """Return the texts of the mails."""
        return [mail.get_body(("plain",)).get_content() for mail in self.mails]  # type: ignore[union-attr]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server."""
    from aiosmtpd.controller import Controller

    found = Mailbox()

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            found.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
            await asyncio.sleep(found.delay)
            return "250 OK"

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found.port = probe.getsockname()[1]
    controller = Controller(Handler(), hostname="127.0.0.1", port=found.port)
    controller.start()
    try:
        yield found
    finally:
        controller.stop()
