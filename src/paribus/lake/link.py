"""Two processes that ask each other: calls with answers, and words without, over one connection."""

from __future__ import annotations

import itertools
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from paribus.errors import ParibusError, StorageError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_CALL, _ANSWER, _FAILURE, _WORD = range(4)


class LinkLost(StorageError):
    """The other process is gone; whether it did what was asked is not known."""


class Link:
    """One end of a connection between two processes of this program; both trust what the other sends.

    Args:
        calls: what the other end may ask for, by name.
        in_order: names of quick calls that are answered one after the other, by the thread that listens; the others
            have a thread each.
    """

    def __init__(
        self, connection: Connection, calls: dict[str, Callable[..., Any]], *, in_order: Iterable[str] = ()
    ) -> None:
        self._connection = connection
        self._calls = calls
        self._in_order = frozenset(in_order)
        self._sending = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._numbers = itertools.count()
        self._is_lost = False

    def call(self, name: str, *given: Any) -> Any:
        """What the other end answers.

        Raises:
            LinkLost: it ended before it answered.
            ParibusError: as raised there.
        """
        done: Future[Any] = Future()
        number = next(self._numbers)
        self._waiting[number] = done
        try:
            self._send((_CALL, number, name, given))
        except LinkLost:
            self._waiting.pop(number, None)
            raise
        if self._is_lost and self._waiting.pop(number, None) is not None:
            raise _lost()
        return done.result()

    def tell(self, name: str, *given: Any) -> None:
        """Says something that has no answer.

        Raises:
            LinkLost: nobody hears it.
        """
        self._send((_WORD, 0, name, given))

    def listen(self) -> None:
        """Answers the other end until it is gone; run by one thread. Calls that wait then fail."""
        try:
            while True:
                kind, number, name, given = self._connection.recv()
                if kind in {_ANSWER, _FAILURE}:
                    self._settle(number, kind, given)
                elif kind == _WORD or name in self._in_order:
                    self._perform(kind, number, name, given)
                else:
                    threading.Thread(
                        target=self._perform, args=(kind, number, name, given), name=f"paribus-{name}", daemon=True
                    ).start()
        except (EOFError, OSError):
            pass
        self._is_lost = True
        for number in list(self._waiting):
            done = self._waiting.pop(number, None)
            if done is not None:
                done.set_exception(_lost())

    def shut(self) -> None:
        """Ends the connection, so that both ends stop listening."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the descriptor back; nobody listens any more."""
        with self._sending:
            self._connection.close()

    def _perform(self, kind: int, number: int, name: str, given: tuple[Any, ...]) -> None:
        try:
            answer = (_ANSWER, number, name, self._calls[name](*given))
        except BaseException as failure:  # noqa: BLE001 - raised at the other end, where somebody waits for it
            answer = (_FAILURE, number, name, _portable(failure))
        if kind == _CALL:
            try:
                self._send(answer)
            except LinkLost:
                return  # nobody waits any more

    def _settle(self, number: int, kind: int, answer: Any) -> None:
        done = self._waiting.pop(number, None)
        if done is None:
            return
        if kind == _ANSWER:
            done.set_result(answer)
        else:
            done.set_exception(answer)

    def _send(self, message: tuple[int, int, str, Any]) -> None:
        text = pickle.dumps(message)
        try:
            with self._sending:
                self._connection.send_bytes(text)
        except OSError as gone:
            raise _lost() from gone


def _portable(failure: BaseException) -> BaseException:
    """The failure as it can be raised in another process."""
    if isinstance(failure, ParibusError):
        try:
            return pickle.loads(pickle.dumps(failure))  # type: ignore[no-any-return]  # noqa: S301 - our own
        except Exception:  # noqa: BLE001 - whatever its class asks for
            return StorageError(failure.what, where=failure.where, rule=failure.rule, fix=failure.fix)
    return StorageError(f"{type(failure).__name__}: {failure}")


def _lost() -> LinkLost:
    return LinkLost(
        "the process that writes the lake ended",
        rule="what was acknowledged stays in the landing queue until the lake holds it",
        fix="it is started again by itself; try again",
    )
