"""Workloads: what a YAML file says, and the requests that come of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.workload.difficulty import Difficulties
from cluster.workload.request import Request
from cluster.workload.workload import Workload, read_workload
from dynasor.query import parse_program
from dynasor.replay.recording import Question, Sample

README = Path(__file__).parents[3] / "traces/README.md"
VOTE = {"algorithm": "self_consistency", "max_branches": 16}
DOCUMENT: dict[str, Any] = {
    "questions": "small.jsonl",
    "arrivals": {"process": "poisson", "rate": 5},
    "queries": 400,
    "kinds": [
        {"name": "vote", "share": 3, "tenant": "us", "program": VOTE},
        {"name": "plain"},
    ],
}


def written(directory: Path, **changes: Any) -> Path:
    """A workload file beside a recording of three questions, with 10, 20 and 60 tokens a sample."""
    lines = []
    for number, tokens in enumerate((10, 20, 60)):
        samples = [{"answer": "1", "tokens": tokens, "correct": True}] * 2
        lines.append(json.dumps({"id": number, "samples": samples}))
    (directory / "small.jsonl").write_text("\n".join(lines))
    path = directory / "workload.yaml"
    document = {key: value for key, value in {**DOCUMENT, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump({"workload": document, "other": 1}))
    return path


def workload(directory: Path, **changes: Any) -> Workload:
    return read_workload(written(directory, **changes))


def without_times(requests: list[Request]) -> list[tuple[Any, ...]]:
    return [(one.number, one.kind, one.question, one.seed) for one in requests]


class TestRequests:
    def test_equal_seeds_give_equal_requests(self, tmp_path: Path) -> None:
        made = workload(tmp_path)
        assert list(made.requests(1)) == list(made.requests(1))
        assert without_times([*made.requests(1)]) != without_times([*made.requests(2)])
        assert list(made.requests()) == list(made.requests(0))

    def test_other_arrivals_ask_the_same(self, tmp_path: Path) -> None:
        made = workload(tmp_path)
        slow, fast = list(made.requests(3)), list(made.at_rate(50).requests(3))
        assert without_times(slow) == without_times(fast)
        assert fast[-1].at_s == pytest.approx(slow[-1].at_s / 10)

    def test_kinds_come_by_their_shares(self, tmp_path: Path) -> None:
        requests = list(workload(tmp_path).requests())
        kinds = Counter(request.kind for request in requests)
        assert kinds.total() == 400 and kinds["vote"] == pytest.approx(300, abs=45)
        assert {(one.kind, one.tenant) for one in requests} == {("vote", "us"), ("plain", "")}

    def test_no_question_is_asked_again_before_all_were(self, tmp_path: Path) -> None:
        places = [request.question for request in workload(tmp_path, queries=60).requests()]
        assert all(sorted(places[at : at + 3]) == [0, 1, 2] for at in range(0, 60, 3))
        assert len({tuple(places[at : at + 3]) for at in range(0, 60, 3)}) > 1

    def test_the_first_bound_ends_it(self, tmp_path: Path) -> None:
        short = list(workload(tmp_path, seconds=4).requests())
        assert 0 < len(short) < 400 and short[-1].at_s < 4
        endless = workload(tmp_path, seconds=4, queries=None)
        assert list(endless.requests()) == short
        assert len(list(workload(tmp_path, seconds=4, queries=3).requests())) == 3

    def test_they_are_drawn_as_they_are_needed(self, tmp_path: Path) -> None:
        made = workload(tmp_path, queries=10**12)
        assert len(list(islice(made.requests(), 5))) == 5

    def test_lengths_of_a_trace_reach_them(self, tmp_path: Path) -> None:
        (tmp_path / "trace.csv").write_text("arrival_s,input_tokens\n0,70\n1,80\n")
        arrivals = {"process": "replay", "file": "trace.csv", "lengths": True}
        requests = list(workload(tmp_path, arrivals=arrivals, queries=3).requests())
        assert [request.input_tokens for request in requests] == [70, 80, 70]

    def test_what_is_asked_is_a_program_object(self, tmp_path: Path) -> None:
        made = workload(tmp_path, deadline={"slo_scale": 2, "base_s": 1})
        for request in islice(made.requests(), 20):
            spec = parse_program(request.asked("value"))
            assert spec.policy == "value" and spec.terms.deadline_s == request.deadline_s
            assert spec.terms.tenant == (request.tenant or "default")
            assert "policy" not in request.asked()


class TestDeadlines:
    def test_difficulty_is_compute_relative_to_the_mean(self) -> None:
        questions = [Question((Sample("1", 10, True), Sample("1", 30, True)))]
        questions.append(Question((Sample("1", 60, True),)))
        difficulties = Difficulties(questions)
        assert [difficulties.of(0), difficulties.of(1)] == [0.5, 1.5]
        assert difficulties.mean_tokens == 40

    def test_questions_without_tokens_are_average(self) -> None:
        assert Difficulties([Question((Sample(None, 0, False),))]).of(0) == 1

    def test_they_grow_with_the_question(self, tmp_path: Path) -> None:
        made = workload(tmp_path, deadline={"slo_scale": 8, "base_s": 0.5}, queries=3)
        found = {request.question: request.deadline_s for request in made.requests()}
        assert found == pytest.approx({0: 4 / 3, 1: 8 / 3, 2: 8.0})

    def test_kinds_may_have_bases_of_their_own(self, tmp_path: Path) -> None:
        deadline = {"slo_scale": 1, "base_s": {"vote": 3, "plain": 1}}
        made = workload(tmp_path, deadline=deadline)
        found = {(one.kind, one.question): one.deadline_s for one in made.requests()}
        assert found["vote", 2] == pytest.approx(6) and found["plain", 2] == pytest.approx(2)

    def test_the_base_may_be_measured_first(self, tmp_path: Path) -> None:
        made = workload(tmp_path, deadline={"slo_scale": 8}, queries=1)
        with pytest.raises(ValueError, match=r"deadline\.base_s"):
            next(made.requests())
        assert next(made.with_deadlines(8, 1.0).requests()).deadline_s is not None

    def test_without_them_nothing_is_asked(self, tmp_path: Path) -> None:
        assert all(one.deadline_s is None for one in workload(tmp_path).requests())


class TestFiles:
    def test_the_documented_workload_is_one(self, tmp_path: Path) -> None:
        (block,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), flags=re.DOTALL)
        path = tmp_path / "documented.yaml"
        path.write_text(block)
        assert [kind.name for kind in read_workload(path).kinds] == ["vote", "search"]

    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: Any) -> None:
        path = written(tmp_path)
        monkeypatch.chdir("/")
        assert [question.id for question in read_workload(path).read_questions()] == ["0", "1", "2"]

    def test_questions_may_be_drawn(self, tmp_path: Path) -> None:
        made = workload(tmp_path, questions={"parametric": {"questions": 7}}, queries=7)
        assert len(made.read_questions()) == 7
        assert sorted(one.question for one in made.requests()) == list(range(7))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"rate": 3}, "workload.rate: unknown field"),
            ({"queries": 0}, "workload.queries: "),
            ({"queries": None}, "give queries, seconds, or both"),
            ({"arrivals": None}, "workload.arrivals: is required"),
            ({"arrivals": {"process": "poisson", "rate": -1}}, "workload.arrivals.poisson.rate: "),
            ({"questions": {"parametric": {"samples": 0}}}, "parametric.samples: "),
            ({"kinds": []}, "workload.kinds: "),
            ({"kinds": [{"name": "a"}, {"name": "a"}]}, "a name of its own"),
            (
                {"kinds": [{"name": "a", "program": {**VOTE, "max_branches": 0}}]},
                "kinds.a.program.max_branches: ",
            ),
            (
                {"kinds": [{"name": "a", "program": {**VOTE, "policy": "even"}}]},
                "kinds.a.program.policy: must be left out",
            ),
            ({"deadline": {"slo_scale": 2, "base_s": {"vote": 1}}}, "base_s lacks kind plain"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, changes: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(ValueError) as caught:
            workload(tmp_path, **changes)
        assert "workload.yaml: " in str(caught.value) and said in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "said"),
        [("a: [", "no YAML"), ("a: 1", "needs an object 'workload'"), ("workload: 3", "workload")],
    )
    def test_a_file_without_a_workload_is_refused(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        path = tmp_path / "broken.yaml"
        path.write_text(text)
        with pytest.raises(ValueError, match=f"broken.yaml: .*{said}"):
            read_workload(path)
        with pytest.raises(ValueError, match=r"none\.yaml: No such file"):
            read_workload(tmp_path / "none.yaml")

    def test_a_recording_that_is_broken_is_named(self, tmp_path: Path) -> None:
        made = workload(tmp_path)
        (tmp_path / "small.jsonl").write_text('{"samples": []}')
        with pytest.raises(ValueError, match=r"small\.jsonl: line 1: .*samples"):
            made.read_questions()
