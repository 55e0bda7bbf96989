"""Where messages go: the home's file, and what the Apprise URLs of the environment name."""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path

from customer_profiles.quality.alerts import Message, without_personal_data
from customer_profiles.settings import Mendable

URLS_VARIABLE = "CUSTOMER_PROFILES_ALERT_URLS"
FILE = "file"
LONGEST_REASON = 200
BETWEEN_URLS = re.compile(r"\s*,\s*(?=\w+://)|\s+")
NEVER_ARRIVED = re.compile(
    r"NewConnectionError|ConnectTimeout|NameResolutionError|ConnectionRefused|refused|SSLError|error=(?!502|504)\d{3}"
)
"""In Apprise's own log: nobody listened, or the service (not a gateway before it) refused the message."""


@dataclass(frozen=True)
class NotSent:
    """Why a message was not taken, and whether it may have arrived nevertheless: it was not answered."""

    reason: str
    perhaps_arrived: bool


class DestinationError(Mendable, ValueError):
    """A URL is none that Apprise knows. The message tells its place, not its words: they are a secret."""


def destinations(environ: Mapping[str, str]) -> dict[str, str]:
    """The URLs of the environment, by a name that does not tell them: URLs hold tokens."""
    urls = filter(None, BETWEEN_URLS.split(environ.get(URLS_VARIABLE, "")))
    return {f"{_service(url)} {hashlib.sha256(url.encode()).hexdigest()[:12]}": url for url in urls}


def _service(url: str) -> str:
    return url.partition("://")[0] if "://" in url else "address"


def require_known(environ: Mapping[str, str]) -> None:
    """Raises ``DestinationError`` if a URL of the environment is none that Apprise can send to."""
    from apprise import Apprise

    with _what_apprise_says():
        wrong = [
            place
            for place, url in enumerate(destinations(environ).values(), start=1)
            if Apprise.instantiate(url, suppress_exceptions=True) is None
        ]
    if wrong:
        raise DestinationError(
            f"{URLS_VARIABLE}: URLs {wrong} (by their place) are none that Apprise knows; URLs are parted by "
            f"spaces, as in slack://… json://127.0.0.1:8000/alerts; see https://github.com/caronc/apprise/wiki"
        )


def send(url: str, message: Message) -> NotSent | None:
    """Send a message; ``None`` if the service took it."""
    from apprise import Apprise, NotifyType

    kind = NotifyType.FAILURE if message.severity == "error" else NotifyType.WARNING
    kind = NotifyType.SUCCESS if message.recovered else kind
    service = Apprise()
    with _what_apprise_says() as said:
        if not service.add(url):
            return NotSent("the URL is none that Apprise knows", perhaps_arrived=False)
        if service.notify(body=message.body, title=message.title, notify_type=kind, body_format="text"):
            return None
        lines = said.getvalue().splitlines()
    told = " ".join(line.partition(" ")[2] for line in lines if not line.startswith(("DEBUG", "INFO")))
    reason = without_personal_data(told)[:LONGEST_REASON] or "the service did not take it"
    return NotSent(reason, perhaps_arrived=not any(map(NEVER_ARRIVED.search, lines)))


@contextmanager
def _what_apprise_says() -> Iterator[StringIO]:
    """Apprise's complaints, kept out of the logs: of a URL that it cannot parse it quotes all."""
    from apprise import LogCapture

    logger = logging.getLogger("apprise")
    logger.propagate = False
    with LogCapture(level=logging.DEBUG, fmt="%(levelname)s %(message)s") as said:  # type: ignore[no-untyped-call]
        yield said


def write_down(
    folder: Path, message: Message, numbers: Sequence[int], now: datetime, *, perhaps_there: bool
) -> NotSent | None:
    """Append a message to the month's file; if it is ``perhaps_there``, after a kill, only unless it is.

    An outbox that was moved away counts its messages anew: a number alone tells of none that it is there.
    """
    file = folder / f"{now:%Y-%m}.log"
    mark = f"message {'+'.join(map(str, numbers))}"
    try:
        if perhaps_there and file.exists() and f"\n{mark}\n" in file.read_text(encoding="utf-8"):
            return None
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{now.isoformat(timespec='seconds')} {message.title}\n{message.body}\n{mark}\n\n")
    except OSError as error:
        return NotSent(f"{file} cannot be written: {error.strerror}", perhaps_arrived=False)
    return None
