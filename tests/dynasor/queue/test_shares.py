"""Shares between tenants: by weight, no credit for idleness, and nobody starves."""

from __future__ import annotations

from collections import Counter
from itertools import count, pairwise

from hypothesis import given
from hypothesis import strategies as st

from dynasor.queue.queue import Queue


def fair(tenant: str) -> float:
    return 1.0


NUMBERS = count(1)


def serve(queue: Queue, lease: int) -> str:
    """Start the branch of the head, whose tenant waits all the time. Returns the tenant."""
    head = queue.head()
    assert head is not None
    tenant = head.split()[0]
    number = next(NUMBERS)
    queue.put(f"{tenant} {number}", tenant, (float(number), number))
    queue.take(head, lease)
    return tenant


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
    def test_who_begins_to_wait_goes_next_after_little_of_every_other(
        self, weights: dict[str, float], leases: list[int]
    ) -> None:
        queue = Queue({**weights, "new": 1.0}.__getitem__)
        for number, tenant in enumerate(weights):
            queue.put(tenant, tenant, (0.0, number))
        for lease in leases:
            serve(queue, lease)
        queue.put("new", "new", (0.0, 9))
        before = []
        while (tenant := serve(queue, 1)) != "new":
            before.append(tenant)
        largest = max(max(leases, default=1) / weight for weight in weights.values())
        for tenant, tokens in Counter(before).items():
            assert tokens <= weights[tenant] * largest * (1 + 1e-9) + 1

    @given(
        waiting=st.integers(2, 12),
        arrivals=st.lists(st.integers(0, 4), min_size=1, max_size=20),
        staying=st.integers(0, 3),
    )
    def test_tenants_that_are_ever_new_keep_nobody_from_being_served(
        self, waiting: int, arrivals: list[int], staying: int
    ) -> None:
        """Of at most N tenants that wait, each is served within 4N + 1 grants."""
        queue, most = Queue(fair), waiting + staying + 1
        regulars = ["victim", *(f"regular{number}" for number in range(staying))]
        for number, tenant in enumerate(regulars):
            queue.put(tenant, tenant, (0.0, number))
        since = 0
        for grant in range(20 * most):
            for _ in range(arrivals[grant % len(arrivals)]):
                if len(queue) < most:
                    fresh = f"fresh{next(NUMBERS)}"
                    queue.put(fresh, fresh, (0.0, 0))
            head = queue.head()
            assert head is not None
            if head.startswith("fresh"):
                queue.take(head, 10)
            else:
                serve(queue, 10)
            since = 0 if head.startswith("victim") else since + 1
            assert since <= 4 * most

    def test_idleness_earns_no_credit(self) -> None:
        queue = Queue(fair)
        queue.put("a", "a", (0.0, 0))
        for _ in range(100):
            serve(queue, 10)
        queue.put("b", "b", (0.0, 1))
        order = []
        for _ in range(20):
            order.append(serve(queue, 10))
        assert abs(order.count("a") - order.count("b")) <= 2

    @given(st.integers(0, 50), st.integers(0, 50))
    def test_being_held_earns_neither_credit_nor_debt(self, before: int, meanwhile: int) -> None:
        queue = Queue(fair)
        for tenant in "ab":
            queue.put(tenant, tenant, (0.0, 0))
        for _ in range(2 * before):
            serve(queue, 10)
        queue.hold("a")
        for _ in range(meanwhile):
            assert serve(queue, 10) == "b"
        queue.release("a")
        order = [serve(queue, 10) for _ in range(20)]
        assert abs(order.count("a") - order.count("b")) <= 2

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
        for number, hold in enumerate(steps * 4):
            queue.put("p", "t", (float(number), 1))
            queue.charge("t", 5)
            queue.charge("t", -1)
            if hold:
                queue.hold("t")
                queue.release("t")
        assert len(queue._waiting_tenants) <= 70
        assert sum(len(tenant.heap) for tenant in queue._tenants.values()) <= 140
