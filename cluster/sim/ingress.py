"""The ingress in virtual time: submits requests, asks new controllers, and waits for results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from cluster.sim.asking import Asked, Asking
from cluster.sim.clock import Clock
from cluster.sim.controller import SimController
from cluster.sim.host import Host
from cluster.sim.outcomes.script import Script
from cluster.sim.profile import CallCost
from cluster.sim.tally import Tally
from cluster.workload.request import Request
from cluster.workload.served import Served
from dynasor.errors import Overloaded
from dynasor.result import Result

ASK_AGAIN_S = 0.2
"""As `cluster.ingress.solving.CONTROLLER_RETRY_S`."""

RESUBMIT_S = 60.0
"""As `cluster.ingress.solving.RESUBMIT_S`: how long an accepted query waits for a controller."""


class SimIngress:
    """Every request it took ends in the tally exactly once.

    Attributes:
        in_progress: queries that have not ended, by id.
        moved_at: when one arrived or ended last.
    """

    def __init__(
        self,
        asking: Asking,
        requests: Iterator[Request],
        calls: CallCost,
        hosts: Sequence[Host],
        clock: Clock,
        controller: SimController,
        tally: Tally,
    ) -> None:
        self.in_progress: dict[str, Asked] = {}
        self.moved_at = 0.0
        self._asking = asking
        self._requests = requests
        self._calls = calls
        self._hosts = hosts
        self._clock = clock
        self._controller = controller
        self._tally = tally
        self._expected = True
        self._waiting: list[tuple[float, Asked]] = []

    @property
    def done(self) -> bool:
        """All requests have ended."""
        return not self._expected and not self.in_progress

    def start(self) -> None:
        """Wait for the first request."""
        request = next(self._requests, None)
        self._expected = request is not None
        if request is not None:
            self._clock.at(request.at_s, self._arrive, request)

    def script(self, query_id: str) -> Script:
        """See `Outside`."""
        return self.in_progress[query_id].script

    def concluded(self, result: Result) -> None:
        """See `Outside`."""
        asked = self.in_progress.get(result.query_id)
        # Of one that was given up nobody wants to hear.
        if asked is not None:
            self._end(asked, self._asking.answered(asked, result, self._way(asked)))

    def controller_lost(self) -> None:
        """All calls have failed."""
        for asked in self.in_progress.values():
            if asked.accepted:
                self._wait(asked)

    def controller_back(self) -> None:
        """A new controller takes queries; those that wait for it find out one after the other."""
        waiting, self._waiting = self._waiting, []
        for since, asked in waiting:
            tries = math.ceil((self._clock.now - since) / ASK_AGAIN_S)
            self._clock.at(since + tries * ASK_AGAIN_S, self._submit, asked)

    def give_up(self, message: str) -> None:
        """Queries in progress come to nothing."""
        for asked in list(self.in_progress.values()):
            self._end(asked, self._asking.failed(asked, self._way(asked), message))

    def _arrive(self, request: Request) -> None:
        asked = self._asking.ask(request)
        self.moved_at = self._clock.now
        self.in_progress[asked.submit.query_id] = asked
        self._clock.at(self._way(asked), self._submit, asked)
        self.start()

    def _submit(self, asked: Asked) -> None:
        now = self._clock.now
        if self._controller.core is None:
            self._wait(asked)
            return
        again = asked.give_up_at > 0
        if again and (now > asked.give_up_at or not self._asking.again(asked, now)):
            message = "the controller was lost and did not come back in time"
            self._end(asked, self._asking.failed(asked, self._way(asked), message))
            return
        try:
            asked.accepted = True
            self._controller.submit(asked.submit)
        except Overloaded as error:
            asked.accepted = False
            if again and now + error.retry_after_s < asked.give_up_at:
                self._clock.at(now + error.retry_after_s, self._submit, asked)
            else:
                self._end(asked, self._asking.refused(asked, self._way(asked), error.reason))

    def _wait(self, asked: Asked) -> None:
        """Wait for a controller, for as long as the query may."""
        asked.accepted = False
        if not asked.give_up_at:
            deadline_s = asked.request.deadline_s
            limit_s = RESUBMIT_S if deadline_s is None else min(RESUBMIT_S, deadline_s)
            asked.give_up_at = self._clock.now + limit_s
        self._waiting.append((self._clock.now, asked))

    def _way(self, asked: Asked) -> float:
        """When what comes from a client now is with the controller, or the other way round: half
        of what lies between them. Clients take the hosts in turn."""
        host = self._hosts[asked.request.number % len(self._hosts)]
        return host.take(self._calls.query_cpu_s / 2, self._calls.query_s / 2)

    def _end(self, asked: Asked, served: Served) -> None:
        del self.in_progress[asked.submit.query_id]
        self._tally.add(served)
        self.moved_at = self._clock.now
