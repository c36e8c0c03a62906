"""Command line: ``python -m cluster.models.abacus train`` and ``… evaluate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cluster.models.abacus import weights_path
from cluster.models.abacus.problems import Problem, make_problems


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m cluster.models.abacus", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="build tokenizer and data, train, export")
    train.add_argument("--tokens", type=float, default=30e6, help="end after so many tokens")
    train.add_argument("--minutes", type=float, default=80.0, help="end after so many minutes")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--run", type=Path, default=Path("abacus-run"), help="checkpoint folder")
    train.add_argument("--weights", type=Path, default=weights_path(), help="export folder")
    evaluate = commands.add_parser("evaluate", help="measure with vLLM; fails if below par")
    evaluate.add_argument("--problems", type=int, default=50, help="problems a level")
    evaluate.add_argument("--samples", type=int, default=16, help="samples a problem")
    evaluate.add_argument("--weights", type=Path, default=weights_path(), help="model folder")
    evaluate.add_argument("--write", action="store_true", help="put the tables into README.md")
    arguments = parser.parse_args()
    return _train(arguments) if arguments.command == "train" else _evaluate(arguments)


def _train(arguments: argparse.Namespace) -> int:
    from cluster.models.abacus.train import Trainer
    from cluster.models.training import Limits

    trainer = Trainer(arguments.seed, arguments.run, arguments.weights)
    trainer.run(Limits(int(arguments.tokens), arguments.minutes))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from cluster.models.abacus.evaluate import evaluate, greedy_sample, write_tables

    outcome = evaluate(arguments.weights, arguments.problems, arguments.samples)
    print(outcome.tables)
    print(f"greedy, by transformers:\n{greedy_sample(arguments.weights, _example())}")
    if arguments.write:
        write_tables(Path(__file__).resolve().parent / "README.md", outcome.tables)
    for text in outcome.missed:
        print(f"missed: {text}", file=sys.stderr)
    return 1 if outcome.missed else 0


def _example() -> Problem:
    return make_problems(level=3, count=1, seed=0)[0]


if __name__ == "__main__":
    sys.exit(main())
