"""A connection to a running cluster; what can go wrong with it becomes a `CliError`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cluster.cli.errors import CliError

if TYPE_CHECKING:
    import httpx

URL = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 5.0


def add_url(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the cluster is."""
    parser.add_argument("--url", default=URL, help="the cluster's address (default: %(default)s)")


@contextmanager
def connect(url: str, timeout_s: float) -> Iterator[httpx.Client]:
    """A client of the cluster at ``url``.

    Args:
        timeout_s: for how long the server may be silent.

    Raises:
        CliError: from the context, when the server can't be reached or the connection breaks.
    """
    import httpx

    timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    try:
        with httpx.Client(base_url=url, timeout=timeout) as client:
            yield client
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise CliError(
            f"no server at {url}; start one with: dynasor up serve_configs/local.yaml"
        ) from None
    except httpx.UnsupportedProtocol:
        raise CliError(f"--url must begin with http:// or https://, got {url!r}") from None
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise CliError(f"the connection to {url} broke: {reason}") from None


def raise_for_error(response: httpx.Response) -> None:
    """Raises CliError, with the server's own words, if it refused or failed the request."""
    if response.is_success:
        return
    from cluster.cli.stream import error_message

    response.read()
    try:
        message = error_message(response.json())
    except ValueError:
        message = response.text.strip()[:500]
    raise CliError(f"{message or 'no message'} (HTTP {response.status_code})")
