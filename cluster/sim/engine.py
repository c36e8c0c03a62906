"""An engine in virtual time: batches continuously as vLLM does, and jumps from event to event."""

from __future__ import annotations

import math
from collections.abc import Iterable

from cluster.sim.job import Done, Job
from cluster.sim.kv import KVCache
from cluster.sim.profile import EngineProfile, StepCost
from cluster.sim.scheduler import Scheduler
from cluster.sim.sequence import SimSequence
from dynasor.messages import Load, ReplicaInfo

__all__ = ["Done", "Job", "SimEngine"]


class SimEngine:
    """One engine. Times are seconds of virtual time and never go back.

    Steps follow each other without a gap while there is work. A step that begins at an instant
    takes what is submitted at that instant; an abort takes effect when the step that runs at that
    instant is over, and one that begins then runs.

    Attributes:
        profile: of the engine that it stands for.
    """

    def __init__(
        self,
        info: ReplicaInfo,
        profile: EngineProfile,
        step: StepCost,
        max_num_batched_tokens: int,
    ) -> None:
        """An idle engine with an empty cache.

        Args:
            info: its slots and its cache; these count, not the profile's.
            step: what its steps cost: ``profile.step``, or ``profile.reward`` of one that judges.

        Raises:
            ValueError: ``max_num_batched_tokens`` is less than its slots.
        """
        if max_num_batched_tokens < info.slots:
            raise ValueError(
                f"max_num_batched_tokens must be at least slots ({info.slots}), "
                f"not {max_num_batched_tokens}"
            )
        self.profile = profile
        self._step = step
        self._cache = KVCache(info.kv_tokens // info.block_size, info.block_size)
        self._most_tokens = min(self._cache.total * info.block_size, info.max_model_len)
        self._scheduler = Scheduler(info.slots, max_num_batched_tokens, self._cache)
        self._sequences: dict[int, SimSequence] = {}
        self._aborted: dict[int, SimSequence] = {}
        self._done: list[Done] = []
        self._now = 0.0
        self._speed = 1.0
        # A stretch: steps in a row that compute the same, without an event between them.
        self._start = 0.0
        self._steps = 0
        self._is_cut = False
        self._end: float | None = None

    def submit(self, job: Job, now: float) -> None:
        """Put a job at the end of the queue.

        Raises:
            ValueError: its context is empty, or it could outgrow the cache or
                ``info.max_model_len``.
        """
        if not job.context:
            raise ValueError("context must have at least one token")
        self._check_size(job, job.limit)
        self._run(now)
        sequence = SimSequence(job)
        self._sequences[job.id] = sequence
        scheduler = self._scheduler
        scheduler.add(sequence)
        # One that waits behind others begins when they have, at the end of a stretch.
        if not self._steps:
            self._begin(now)
        elif scheduler.waiting == 1 and not scheduler.full:
            self._align(now)
            if now == self._start:
                scheduler.admit()
                self._plan()
            else:
                self._cut()

    def set_limit(self, job_id: int, limit: int, now: float) -> None:
        """A job that has as many tokens already ends with its next one; one that ended stays so.

        Raises:
            ValueError: as in `submit`; or the job only reads (its limit is 0).
        """
        self._run(now)
        sequence = self._sequences.get(job_id)
        if sequence is None:
            return
        if not sequence.limit:
            raise ValueError(f"job {job_id} only reads: it has no limit to be set")
        self._check_size(sequence.job, limit)
        sequence.limit = max(limit, self.generated(job_id) + 1)
        if sequence.due is not None:
            self._scheduler.batch.set_due(sequence)
            self._plan()

    def abort(self, job_ids: Iterable[int], now: float) -> None:
        """End jobs when the running step is over; those that have ended stay so."""
        self._run(now)
        known = {job: self._sequences[job] for job in job_ids if job in self._sequences}
        if known:
            self._align(now)
            self._cut()
            self._aborted |= known

    def set_speed(self, factor: float, now: float) -> None:
        """What is left of the running step, and all later ones, take ``factor`` times their cost.

        Raises:
            ValueError: the factor is not positive.
        """
        if factor <= 0:
            raise ValueError(f"factor must be positive, not {factor}")
        self._run(now)
        if self._steps and now > self._start:
            # The work done so far stays done: as if the stretch had run at this speed all along.
            self._start = now - (now - self._start) * (factor / self._speed)
        self._speed = factor
        if self._steps:
            self._end = max(self._over_at(self._steps), now)

    @property
    def next_at(self) -> float | None:
        """No job ends before this; None: nothing runs. Advance to it, and ask again.

        Often the next end itself, but it may be the end of a step at which no job ends. The present
        if something has ended that `advance` has not given yet.
        """
        return self._now if self._done else self._end

    def advance(self, now: float) -> list[Done]:
        """Run until ``now``, and give what has ended since the last call, in order.

        Raises:
            ValueError: it has been run until later.
        """
        self._run(now)
        done, self._done = self._done, []
        return done

    def generated(self, job_id: int) -> int:
        """Tokens that a job has generated by the last instant named.

        Raises:
            KeyError: it has ended, or was never submitted.
        """
        sequence = self._sequences[job_id]
        if sequence.origin is None:
            return sequence.made
        return sequence.generated(self._scheduler.batch.clock + self._steps_over())

    @property
    def generated_in_all(self) -> int:
        """Tokens of all its jobs by the last instant named, those included that nobody got."""
        scheduler = self._scheduler
        decoded = scheduler.batch.decoded + self._steps_over() * scheduler.batch.count
        return decoded + scheduler.firsts

    def reaches_at(self, job_id: int, tokens: int) -> float | None:
        """When a job has so many tokens, if that is before `next_at`; None: it is not, as far as
        is known now. The last instant named if it has them already.

        Raises:
            KeyError: it has ended, or was never submitted.
        """
        sequence = self._sequences[job_id]
        if sequence.origin is None:
            return self._now if sequence.made >= tokens else None
        steps = tokens - sequence.generated(self._scheduler.batch.clock)
        if steps > self._steps:
            return None
        return max(self._now, self._over_at(steps)) if steps > 0 else self._now

    @property
    def load(self) -> Load:
        """How busy it is at the last instant named."""
        scheduler = self._scheduler
        return Load(
            kv_used=scheduler.blocks_held(self._steps_over()) / self._cache.total,
            waiting=scheduler.waiting,
            running=len(scheduler.running),
            preempted=scheduler.preempted,
        )

    def _check_size(self, job: Job, limit: int) -> None:
        if len(job.context) + limit > self._most_tokens:
            raise ValueError(
                f"context and limit must be at most {self._most_tokens} tokens together, "
                f"not {len(job.context)} + {limit}"
            )

    def _run(self, now: float) -> None:
        if now < self._now:
            raise ValueError(f"now must not go back: {now} after {self._now}")
        while self._end is not None and self._end <= now:
            self._finish(self._steps, self._end)
        self._now = now

    def _finish(self, steps: int, at: float) -> None:
        """So many steps of the stretch are over, and with them what ends; begin another one."""
        aborted, self._aborted = self._aborted, {}
        ended = self._scheduler.end_steps(steps, aborted.values())
        for sequence in (*aborted.values(), *ended):
            job = sequence.job.id
            del self._sequences[job]
            cached = sequence.cached_tokens or 0
            self._done.append(Done(job, at, sequence.made, cached, job in aborted))
        self._begin(at)

    def _begin(self, at: float) -> None:
        self._start = at
        self._is_cut = False
        self._scheduler.begin_step()
        self._plan()

    def _plan(self) -> None:
        """The stretch goes on until something ends, blocks run out, or where it was cut."""
        steps = self._scheduler.steps_alike()
        self._steps = min(steps, self._steps) if self._is_cut else steps
        self._end = self._over_at(self._steps) if self._steps else None

    def _align(self, now: float) -> None:
        """If a step begins now, begin a stretch with it."""
        over = self._steps_over()
        if over and self._over_at(over) == now:
            self._finish(over, now)

    def _cut(self) -> None:
        """End the stretch with the step that runs now."""
        over = self._steps_over()
        if over + 1 < self._steps:
            self._steps = over + 1
            self._end = self._over_at(self._steps)
        self._is_cut = True

    def _over_at(self, steps: int) -> float:
        """When so many steps of the stretch are over."""
        scheduler, step = self._scheduler, self._step
        batch = scheduler.batch
        work = step.steps_s(steps, batch.count, batch.context_tokens)
        if scheduler.prefill_tokens:
            work += step.per_prefill_token_s * scheduler.prefill_tokens
            work += step.per_attention_s * scheduler.attended
            work += step.per_start_s * scheduler.started
        return self._start + self._speed * work

    def _steps_over(self) -> int:
        """Whole steps of the stretch that are over now."""
        if self._steps < 2 or self._now == self._start:
            return 0
        batch, step = self._scheduler.batch, self._step
        # steps_s(n) = square * n² + linear * n; the root in the form that is exact for small ones.
        square = step.per_context_token_s * batch.count / 2
        linear = (
            step.base_s
            + step.per_sequence_s * batch.count
            + step.per_context_token_s * batch.context_tokens
            - square
        )
        work = (self._now - self._start) / self._speed
        root = 2 * work / (linear + math.sqrt(linear * linear + 4 * square * work))
        steps = min(int(root), self._steps - 1)
        while steps and self._over_at(steps) > self._now:
            steps -= 1
        while steps + 1 < self._steps and self._over_at(steps + 1) <= self._now:
            steps += 1
        return steps
