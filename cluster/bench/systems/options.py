"""Options of benchmarks that compare systems on questions; what they say becomes a `Plan`."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster.bench.options import names
from cluster.cli.errors import CliError
from dynasor.algorithms import DEFAULT_ALGORITHM

if TYPE_CHECKING:
    from cluster.bench.systems.catalog import Place, System
    from cluster.bench.systems.stage import Stage
    from cluster.workload.workload import Workload

CONFIG = Path("serve_configs/local.yaml")
QUESTIONS = Path("traces/abacus.jsonl.gz")
SYSTEMS = "ray-serve-llm,baseline,even,threshold,beta,value"
VOTE = {"algorithm": DEFAULT_ALGORITHM, "max_branches": 16}


class Plan(NamedTuple):
    """What is compared: systems, what they are asked, and where they run."""

    systems: list[System]
    workload: Workload
    stage: Stage

    @property
    def reference(self) -> System:
        """What the others are compared with: the peer, else our own cluster without its
        scheduling, else without adaptation, else the first."""
        order = ("ray-serve-llm", "ray-serve-llm-single", "baseline", "even")
        by_name = {system.name: system for system in self.systems}
        return next((by_name[name] for name in order if name in by_name), self.systems[0])


def add_system_options(parser: argparse.ArgumentParser, systems: str = SYSTEMS) -> None:
    """Add ``--systems``, by default these, and what says where they run and what they are asked."""
    add = parser.add_argument
    add(
        "--systems",
        type=names,
        default=names(systems),
        metavar="NAME,…",
        help="policies (value, threshold, beta, even, …), policies that are told the deadlines "
        "(value-deadline), baseline (even, first come first served, round robin), ray-serve-llm "
        "(its client votes), ray-serve-llm-single (with one request a chain); "
        f"default: {systems}",
    )
    add(
        "--config",
        type=Path,
        default=CONFIG,
        metavar="FILE",
        help="Serve config with the model, the engines and their number (default: %(default)s)",
    )
    add(
        "--questions",
        type=Path,
        default=QUESTIONS,
        metavar="FILE",
        help="recording with their texts and right answers (default: %(default)s)",
    )
    add(
        "--mix",
        type=Path,
        metavar="FILE",
        help="kinds of queries, such as cluster/bench/mix.yaml (default: self-consistency with 16 "
        "chains); the peer only votes",
    )
    add("--url", help="of a cluster that runs already, for the policies; none is started then")
    add("--peer-url", metavar="URL", help="of a ray.serve.llm, or any OpenAI server, that runs")
    add(
        "--in-turn",
        action="store_true",
        help="start systems one at a time, where there is no room for all of them beside each "
        "other (one set of GPUs)",
    )


def plan(args: argparse.Namespace, folder: Path) -> Plan:
    """What the options say.

    Args:
        folder: for what is started.

    Raises:
        CliError: a file can't be used, or a system can't be asked that.
    """
    from cluster.bench.systems.catalog import systems
    from cluster.bench.systems.stage import local_stage
    from cluster.bench.systems.starting import tell

    chosen = systems(args.systems)
    workload = _workload(args)
    _check(chosen, workload)
    given: dict[Place, str] = {}
    if args.url:
        given["dynasor"] = args.url.rstrip("/")
    if args.peer_url:
        given["ray-serve-llm"] = args.peer_url.rstrip("/")
    stage = local_stage(args.config, chosen, folder, tell, _judged(workload), not args.in_turn)
    for place, url in given.items():
        stage.put(place, _at(url))
    return Plan(chosen, workload, stage)


def _at(url: str) -> AbstractContextManager[str]:
    return nullcontext(url)


def _workload(args: argparse.Namespace) -> Workload:
    import yaml
    from pydantic import ValidationError

    from cluster.workload.workload import Workload
    from dynasor.errors import InvalidField, first_invalid

    try:
        kinds = [{"name": "vote-16", "program": VOTE}]
        if args.mix is not None:
            kinds = yaml.safe_load(args.mix.read_text())["kinds"]
        workload = Workload.model_validate(
            {
                "questions": str(args.questions.absolute()),
                "arrivals": {"process": "poisson", "rate": 1.0},
                "queries": 1_000_000,
                "kinds": kinds,
                "seed": args.seed,
            }
        )
        questions = workload.read_questions()
    except ValidationError as error:
        raise CliError(f"{args.mix}: {first_invalid(error, 'mix')}") from None
    except (OSError, InvalidField, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise CliError(str(error)) from None
    if not all(question.prompt and question.gold for question in questions):
        raise CliError(f"{args.questions}: its questions need 'prompt' and 'gold'")
    return workload


def _check(systems: list[System], workload: Workload) -> None:
    from cluster.bench.systems.asking import chains_of
    from dynasor.errors import InvalidField
    from dynasor.query import parse_program

    for system in systems:
        for kind in workload.kinds:
            if system.policy is None:
                chains_of(kind.program)
                continue
            try:
                parse_program({**kind.program, "policy": system.policy})
            except InvalidField as error:
                raise CliError(f"kind {kind.name} under {system.name}: {error}") from None


def _judged(workload: Workload) -> bool:
    """Whether any kind of query needs the reward model."""
    from dynasor.query import parse_program
    from dynasor.work import REWARD

    return any(parse_program(kind.program).build().scorer == REWARD for kind in workload.kinds)
