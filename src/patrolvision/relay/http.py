"""Requests to addresses that somebody typed in: never into our own network, never round a corner.

The name is resolved once, every address it has must be public, and the connection goes to the very
address that was checked (a second look-up could answer otherwise: DNS rebinding). Redirects are not
followed; time, request and answer are bounded.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import urllib3

from patrolvision.errors import ConfigError, DeliveryError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
PORTS = {"http": 80, "https": 443}
# Networks of IPv6 whose last 32 bits are an address of IPv4 (RFC 6052, RFC 4291 section 2.5.5.1).
CARRY_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
# Not to be reached from outside, though not all of the library's tables say so: NAT64 of one's own
# (RFC 8215), site-local (RFC 3879), IETF assignments (RFC 6890).
NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("64:ff9b:1::/48", "fec0::/10", "192.0.0.0/24")))


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a request may cost; allow_private opens loopback and private networks."""

    connect_s: float = 5.0
    total_s: float = 15.0
    request_bytes: int = 4_000_000
    answer_bytes: int = 1_000_000
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status and at most answer_bytes of the body."""

    status: int
    body: bytes


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them; DeliveryError if there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"{host}: the name is not known ({error})", is_down=True) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_url(url: str) -> SplitResult:
    """The parts of an http or https address; ConfigError for any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"url: {url!r} is no address ({error})") from error
    printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in PORTS or not parts.hostname or port == 0 or not printable:
        raise ConfigError(f"url: expected http://… or https://… with a host, found {url!r}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url: a name or password inside an address is not sent")
    return parts


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet: not loopback, private, local or multicast."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if inner is None and any(ip in network for network in CARRY_IPV4):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None and not inner.is_global:
            return False
    is_inside = ip.is_multicast or any(ip in network for network in NOT_PUBLIC)
    return ip.is_global and not is_inside


def address_of(
    url: str, *, allow_private: bool = False, resolve: Resolver = resolved
) -> tuple[SplitResult, str]:
    """The parts of the address and the IP to connect to.

    DeliveryError where any address of the name is not public, unless allow_private.
    """
    parts = checked_url(url)
    host = str(parts.hostname)
    addresses = resolve(host, parts.port or PORTS[parts.scheme])
    if not addresses:
        raise DeliveryError(f"{host}: the name has no address", is_down=True)
    if not allow_private and not all(map(is_public, addresses)):
        raise DeliveryError(
            f"{host} is in a private network: the settings must allow it (allow_private)"
        )
    return parts, addresses[0]


def send(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    limits: HttpLimits | None = None,
    resolve: Resolver = resolved,
) -> Answer:
    """The answer to one request, be it a redirect; DeliveryError if there is none in time."""
    limits = limits or HttpLimits()
    if body is not None and len(body) > limits.request_bytes:
        raise DeliveryError(f"{url}: the message is longer than {limits.request_bytes} bytes")
    parts, ip = address_of(url, allow_private=limits.allow_private, resolve=resolve)
    connection = _connection(parts, ip, limits)
    late = threading.Event()  # what is cut off may look like an answer that ends early
    watchdog = threading.Timer(limits.total_s, _cut, [connection, late])
    watchdog.daemon = True
    watchdog.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, "User-Agent": "patrolvision", **(headers or {})}
        connection.request(method, target, body=body, headers=sent, preload_content=False)
        answer = connection.getresponse()
        content = answer.read(limits.answer_bytes, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
        # AttributeError: the watchdog closed the connection under urllib3's hands
        raise DeliveryError(f"{parts.netloc}: no answer ({error})", is_down=True) from error
    finally:
        watchdog.cancel()
        connection.close()
    if late.is_set():
        raise DeliveryError(f"{parts.netloc}: no answer in {limits.total_s:g} s", is_down=True)
    return Answer(answer.status, content)


def _connection(
    parts: SplitResult, ip: str, limits: HttpLimits
) -> urllib3.connection.HTTPConnection:
    port, timeout = parts.port or PORTS[parts.scheme], limits.connect_s
    if parts.scheme == "http":
        return urllib3.connection.HTTPConnection(ip, port, timeout=timeout)
    host = str(parts.hostname)
    return urllib3.connection.HTTPSConnection(
        ip,
        port,
        timeout=timeout,
        ssl_context=ssl.create_default_context(),
        server_hostname=host,
        assert_hostname=host,
    )


def _cut(connection: urllib3.connection.HTTPConnection, late: threading.Event) -> None:
    late.set()
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            connection.close()
