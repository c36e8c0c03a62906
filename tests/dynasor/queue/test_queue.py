"""Whose branches start next: the order within a tenant, shares between tenants, gangs."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dynasor.queue.orders import Key
from dynasor.queue.queue import Queue


def fair(tenant: str) -> float:
    return 1.0


def drain(queue: Queue) -> list[str]:
    """Everyone, in the order in which they become the head."""
    order = []
    while (head := queue.head()) is not None:
        order.append(head)
        queue.remove(head)
    return order


class TestOneTenant:
    @given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 100)), max_size=60))
    def test_the_heap_equals_sorting(self, puts: list[tuple[int, float]]) -> None:
        queue, model = Queue(fair), dict[str, Key]()
        for number, urgency in puts:
            model[f"p{number}"] = (urgency, number)
            queue.put(f"p{number}", "t", (urgency, number))
        assert drain(queue) == sorted(model, key=model.__getitem__)

    def test_a_program_leaves_when_its_branches_have_started(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0), branches=2)
        queue.take("a", 1)
        assert "a" in queue
        queue.take("a", 1)
        assert "a" not in queue and queue.head() is None

    def test_putting_no_branches_removes(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0))
        queue.put("a", "t", (0.0, 0), branches=0)
        assert not len(queue)


class TestGangs:
    def test_a_wave_stays_together_whatever_happens_to_keys_and_shares(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0), branches=3)
        queue.put("b", "u", (0.0, 1))
        queue.take("a", 1e6)
        queue.put("a", "t", (99.0, 0), branches=2)
        queue.put("c", "t", (-1.0, 2))
        assert queue.head() == "a"
        queue.take("a", 1)
        assert queue.head() == "a"
        queue.take("a", 1)
        assert queue.head() == "b"

    def test_what_comes_to_a_wave_later_queues_again(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (5.0, 0), branches=2)
        queue.take("a", 1)
        queue.put("b", "t", (1.0, 1))
        queue.put("a", "t", (5.0, 0), branches=40)
        queue.take("a", 1)
        assert queue.head() == "b"

    @given(st.integers(1, 20), st.integers(0, 20))
    def test_nobody_holds_the_head_longer_than_one_wave(self, wave: int, more: int) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0), branches=wave)
        queue.take("a", 1)
        queue.put("b", "t", (-1.0, 1))
        taken = 1
        while queue.head() == "a":
            queue.take("a", 1)
            queue.put("a", "t", (0.0, 0), branches=1 + more)
            taken += 1
        assert taken <= wave

    def test_a_wave_that_is_set_aside_gives_the_head_up(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0), branches=3)
        queue.put("b", "t", (1.0, 1))
        queue.take("a", 1)
        queue.skip("a")
        assert queue.head() == "b"


class TestSettingAside:
    def test_skipped_programs_queue_again_with_the_next_pass(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0))
        queue.put("b", "t", (1.0, 1))
        queue.skip("a")
        assert queue.head() == "b"
        queue.restart()
        assert queue.head() == "a"

    def test_parked_programs_wait_until_they_are_let_go(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0))
        queue.park("a")
        queue.put("a", "t", (0.5, 0))
        queue.restart()
        assert queue.head() is None and len(queue) == 1
        queue.unpark("a")
        assert queue.head() == "a"


def serve(queue: Queue, lease: int) -> str:
    """Start a branch of the head, whose tenant waits again at once."""
    head = queue.head()
    assert head is not None
    queue.take(head, lease)
    queue.put(head, head, (0.0, 0))
    return head


def share_out(weights: dict[str, float], leases: list[int]) -> list[Counter[str]]:
    """Tokens granted so far, after each lease, to tenants that all wait all the time."""
    queue = Queue(weights.__getitem__)
    granted: Counter[str] = Counter()
    history = []
    for number, tenant in enumerate(weights):
        queue.put(tenant, tenant, (0.0, number))
    for lease in leases:
        granted[serve(queue, lease)] += lease
        history.append(granted.copy())
    return history


class TestTenants:
    @given(
        st.dictionaries(st.sampled_from("abcde"), st.floats(0.1, 10), min_size=2),
        st.lists(st.integers(1, 100), min_size=1, max_size=100),
    )
    def test_who_wait_all_the_time_share_by_weight(
        self, weights: dict[str, float], leases: list[int]
    ) -> None:
        most = max(leases)
        for granted in share_out(weights, leases):
            for one, two in pairwise(weights):
                ahead = granted[one] / weights[one] - granted[two] / weights[two]
                bound = most / weights[one] + most / weights[two]
                assert abs(ahead) <= bound * (1 + 1e-9)

    @given(
        st.dictionaries(st.sampled_from("abcde"), st.floats(0.1, 10), min_size=1),
        st.lists(st.integers(1, 100), max_size=60),
    )
    def test_who_begins_to_wait_goes_next_after_one_wave_of_every_other(
        self, weights: dict[str, float], leases: list[int]
    ) -> None:
        queue = Queue({**weights, "new": 1.0}.__getitem__)
        for number, tenant in enumerate(weights):
            queue.put(tenant, tenant, (0.0, number))
        for lease in leases:
            serve(queue, lease)
        queue.put("new", "new", (0.0, 9))
        before = []
        while (head := serve(queue, 1)) != "new":
            before.append(head)
        assert max(Counter(before).values(), default=0) <= 1

    def test_idleness_earns_no_credit(self) -> None:
        queue = Queue(fair)
        queue.put("a", "a", (0.0, 0), branches=1000)
        for _ in range(100):
            queue.take("a", 10)
            queue.put("a", "a", (0.0, 0), branches=1)
        queue.put("b", "b", (0.0, 1))
        order = []
        for _ in range(20):
            order.append(serve(queue, 10))
        assert abs(order.count("a") - order.count("b")) <= 1

    def test_what_was_granted_while_nobody_waited_is_no_debt(self) -> None:
        queue = Queue(fair)
        queue.charge("a", 1e6)
        queue.put("b", "b", (0.0, 0), branches=3)
        queue.put("a", "a", (0.0, 1), branches=3)
        queue.take("b", 10)
        for _ in range(2):
            queue.take("b", 10)
        assert queue.head() == "a"

    def test_giving_back_earns_no_credit_from_before_the_wait(self) -> None:
        queue = Queue(fair)
        queue.put("a", "a", (0.0, 0), branches=2)
        queue.put("b", "b", (0.0, 1), branches=2)
        queue.take("a", 10)
        queue.take("a", 10)
        queue.put("a", "a", (0.0, 0), branches=2)
        queue.charge("a", -1e9)
        queue.charge("unknown", -5)
        queue.take("b", 10)
        queue.take("b", 10)
        queue.put("b", "b", (0.0, 1))
        assert queue.head() == "a"
        queue.take("a", 30)
        queue.take("a", 30)
        queue.put("a", "a", (0.0, 0))
        assert queue.head() == "b"

    @given(st.integers(1, 400))
    def test_tenants_that_owe_nothing_are_forgotten(self, many: int) -> None:
        queue = Queue(fair)
        for number in range(many):
            queue.put("p", f"tenant {number}", (0.0, number))
            queue.take("p", 10)
        assert len(queue._tenants) <= 70

    @given(st.lists(st.booleans(), min_size=1, max_size=300))
    def test_memory_follows_what_waits(self, steps: list[bool]) -> None:
        queue = Queue(fair)
        queue.put("head", "h", (0.0, 0))
        for number, park in enumerate(steps * 4):
            queue.put("p", "t", (float(number), 1))
            queue.charge("t", 5)
            queue.charge("t", -1)
            if park:
                queue.park("p")
                queue.unpark("p")
        assert len(queue._waiting_tenants) <= 70
        assert sum(len(tenant.heap) for tenant in queue._tenants.values()) <= 140


class Naive(RuleBasedStateMachine):
    """The head of every pass equals that of a plain list; one tenant, no waves."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(fair)
        self.keys: dict[str, Key] = {}
        self.parked: set[str] = set()
        self.skipped: set[str] = set()

    @rule(number=st.integers(0, 6), urgency=st.integers(0, 20))
    def put(self, number: int, urgency: int) -> None:
        self.keys[f"p{number}"] = (float(urgency), number)
        self.queue.put(f"p{number}", "t", (float(urgency), number))

    @rule(number=st.integers(0, 6))
    def remove(self, number: int) -> None:
        name = f"p{number}"
        self.queue.remove(name)
        self.keys.pop(name, None)
        self.parked.discard(name)
        self.skipped.discard(name)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def set_aside(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.keys)))
        if data.draw(st.booleans()):
            self.queue.park(name)
            self.parked.add(name)
        else:
            self.queue.skip(name)
            self.skipped.add(name)

    @rule(number=st.integers(0, 6))
    def unpark(self, number: int) -> None:
        self.queue.unpark(f"p{number}")
        if f"p{number}" in self.parked:
            self.parked.discard(f"p{number}")
            self.skipped.discard(f"p{number}")

    @rule()
    def restart(self) -> None:
        self.queue.restart()
        self.skipped.clear()

    @invariant()
    def same_head(self) -> None:
        there = self.keys.keys() - self.parked - self.skipped
        assert self.queue.head() == min(there, key=self.keys.__getitem__, default=None)
        assert len(self.queue) == len(self.keys)


TestNaive = Naive.TestCase


def test_a_program_that_does_not_wait_cannot_be_set_aside() -> None:
    with pytest.raises(KeyError):
        Queue(fair).park("nobody")
