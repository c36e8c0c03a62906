"""Whose branches start next: the order within a tenant, gangs, tenants that are held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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

    def test_a_tenant_that_is_held_gives_the_head_up(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0), branches=3)
        queue.put("b", "u", (1.0, 1))
        queue.take("a", 1)
        queue.hold("u")
        assert queue.head() == "a"
        queue.release("u")
        queue.hold("t")
        assert queue.head() == "b"


class TestHolding:
    def test_sets_all_of_a_tenants_programs_aside_those_that_come_later_too(self) -> None:
        queue = Queue(fair)
        queue.put("a", "t", (0.0, 0))
        queue.hold("t")
        queue.hold("t")
        queue.put("a", "t", (0.5, 0))
        queue.put("b", "t", (0.1, 1))
        assert queue.head() is None
        assert len(queue) == 2 and queue.active == 0
        queue.release("t")
        assert queue.active == 2
        assert drain(queue) == ["b", "a"]

    def test_holds_tenants_of_whom_nothing_is_here_yet(self) -> None:
        queue = Queue(fair)
        queue.hold("t")
        queue.put("a", "t", (0.0, 0))
        assert queue.head() is None and queue.active == 0
        queue.release("t")
        queue.release("t")
        assert queue.head() == "a" and queue.active == 1


class Naive(RuleBasedStateMachine):
    """The head equals that of a plain list; nothing is granted, so tenants go in the order in which
    they began to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(fair)
        self.keys: dict[str, dict[str, Key]] = {}
        self.held: set[str] = set()
        self.order: list[str] = []

    def reorder(self) -> None:
        there = {tenant for tenant, keys in self.keys.items() if keys} - self.held
        self.order = [tenant for tenant in self.order if tenant in there]
        self.order += there - set(self.order)

    @rule(tenant=st.sampled_from("tu"), number=st.integers(0, 4), urgency=st.integers(0, 20))
    def put(self, tenant: str, number: int, urgency: int) -> None:
        key = (float(urgency), number)
        self.keys.setdefault(tenant, {})[f"{tenant}{number}"] = key
        self.queue.put(f"{tenant}{number}", tenant, key)
        self.reorder()

    @rule(tenant=st.sampled_from("tu"), number=st.integers(0, 4))
    def remove(self, tenant: str, number: int) -> None:
        self.queue.remove(f"{tenant}{number}")
        self.keys.get(tenant, {}).pop(f"{tenant}{number}", None)
        self.reorder()

    @rule(tenant=st.sampled_from("tu"))
    def hold(self, tenant: str) -> None:
        self.queue.hold(tenant)
        self.held.add(tenant)
        self.reorder()

    @rule(tenant=st.sampled_from("tu"))
    def release(self, tenant: str) -> None:
        self.queue.release(tenant)
        self.held.discard(tenant)
        self.reorder()

    @invariant()
    def same_head(self) -> None:
        first = self.keys[self.order[0]] if self.order else {}
        assert self.queue.head() == min(first, key=first.__getitem__, default=None)
        assert len(self.queue) == sum(len(keys) for keys in self.keys.values())
        assert self.queue.active == sum(len(self.keys[tenant]) for tenant in self.order)


TestNaive = Naive.TestCase
