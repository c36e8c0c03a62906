"""The engine's load: told when it changed, from what vLLM counts."""

from __future__ import annotations

from types import SimpleNamespace

from cluster.engine.load import Gauge
from dynasor.messages import Load


def test_nothing_is_told_before_the_engine_says_something():
    assert Gauge().take() is None


def test_a_load_is_told_once():
    gauge = Gauge()
    gauge.set(Load(kv_used=0.5, running=2))
    assert gauge.take() == Load(kv_used=0.5, running=2)
    assert gauge.take() is None
    gauge.set(Load(kv_used=0.5, running=2))
    assert gauge.take() is None


def test_whoever_listens_is_called_for_news_alone():
    calls = []
    gauge = Gauge()
    gauge.changed = lambda: calls.append(1)
    gauge.set(Load(kv_used=0.5))
    gauge.take()
    gauge.set(Load(kv_used=0.501))
    assert len(calls) == 1, "a block more or less is no news"
    gauge.set(Load(kv_used=0.52))
    assert len(calls) == 2


def test_a_new_controller_is_told_again():
    gauge = Gauge()
    gauge.set(Load(running=1))
    gauge.take()
    gauge.forget()
    assert gauge.take() == Load(running=1)


def test_a_share_is_a_share():
    gauge = Gauge()
    gauge.set(Load(kv_used=1.2))
    assert gauge.take() == Load(kv_used=1.0)


def test_vllms_statistics_become_a_load():
    from cluster.engine.vllm_load import LoadLogger

    gauge = Gauge()
    factory = LoadLogger(gauge)
    logger = factory(None, 0)
    busy = SimpleNamespace(
        kv_cache_usage=0.25, num_running_reqs=7, num_waiting_reqs=2, num_skipped_waiting_reqs=1
    )
    logger.record(busy, SimpleNamespace(num_preempted_reqs=2))
    logger.record(busy, SimpleNamespace(num_preempted_reqs=1))
    logger.record(None, None)
    assert gauge.take() == Load(kv_used=0.25, running=7, waiting=3, preempted=3)
