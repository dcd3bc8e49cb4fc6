"""Tokens become text as they come: whole characters, and nothing that a stop string may yet take back."""

from collections.abc import Callable, Sequence

UNFINISHED = "\ufffd"
"""What decoders write for bytes that are not yet a character."""


class Prose:
    """The text that ids make, after others. Final.

    Args:
        decode: ids → text.
        before: the ids that stand before: a decoder treats the head of a text in its own way.
        stops: the text ends before the first of these.

    Attributes:
        text: what is written so far, in whole characters; without the stop string and all after it.
        stopped: whether a stop string was found; it may lie across any borders between tokens.

    >>> prose = Prose(lambda ids: "".join("abcd"[i] for i in ids), before=[0], stops=["cd"])
    >>> [prose.take(i) for i in (1, 2, 0, 2, 3)], prose.text
    (['b', '', 'ca', '', ''], 'bca')
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], before: Sequence[int], stops: Sequence[str] = ()
    ) -> None:
        self._decode, self._stops = decode, stops
        self._ids, self._known = list(before), len(before)
        self.text, self.stopped, self._given = "", False, 0

    def take(self, id_: int) -> str:
        """One more token; the text that is certain by now and was not given before."""
        self._ids.append(id_)
        self._add(self._whole())
        return self._fresh(len(self.text) if self.stopped else len(self.text) - self._held())

    def close(self) -> str:
        """The rest: there comes no more."""
        if not self.stopped:
            self._add(self._decode(self._ids)[len(self._decode(self._ids[: self._known])) :])
            self._known = len(self._ids)
        return self._fresh(len(self.text))

    def _whole(self) -> str:
        """What the tokens since the last whole character say, once they are whole themselves."""
        before, now = self._decode(self._ids[: self._known]), self._decode(self._ids)
        if now.endswith(UNFINISHED) or len(now) <= len(before):
            return ""
        self._ids = self._ids[self._known :]  # the last piece stays, so that the next is not the head of a text
        self._known = len(self._ids)
        return now[len(before) :]

    def _add(self, piece: str) -> None:
        if self.stopped:
            return
        start = len(self.text)
        self.text += piece
        found = [self.text.find(stop, max(0, start - len(stop) + 1)) for stop in self._stops]
        places = [at for at in found if at >= 0]
        if places:
            self.text, self.stopped = self.text[: min(places)], True

    def _held(self) -> int:
        """How many characters at the end may be the beginning of a stop string."""
        most = min(len(self.text), max(map(len, self._stops), default=1) - 1)
        return next((n for n in range(most, 0, -1) if self._may_stop(self.text[-n:])), 0)

    def _may_stop(self, tail: str) -> bool:
        return any(stop.startswith(tail) for stop in self._stops)

    def _fresh(self, until: int) -> str:
        piece = self.text[self._given : until]
        self._given = max(self._given, until)
        return piece
