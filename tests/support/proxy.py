# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy that answers requests itself and records their addresses, so tests need no DNS and no fixed port."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def recording_proxy() -> t.Iterator[tuple[dict[str, str], list[str]]]:
    """Yields the environment that selects the proxy, except for this machine, and the requested addresses."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(404 if self.path.endswith("/nowhere") else 200)
            self.send_header("Content-Length", "0")
            # Names that are also keys of module results.
            for name in ("Api", "Error", "Instance", "Restore"):
                self.send_header(name, "any text")
            self.end_headers()

        def do_CONNECT(self) -> None:
            requested.append(self.path)
            self.send_error(403)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield {"http_proxy": address, "https_proxy": address, "no_proxy": "127.0.0.1"}, requested
        server.shutdown()
        thread.join()
