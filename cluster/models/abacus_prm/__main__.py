"""Command line: ``python -m cluster.models.abacus_prm train`` and ``… evaluate``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cluster.models.abacus_prm import weights_path


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cluster.models.abacus_prm", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="draw judged chains, train, export")
    train.add_argument("--tokens", type=float, default=20e6, help="end after so many tokens")
    train.add_argument("--minutes", type=float, default=30.0, help="end after so many minutes")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--run", type=Path, default=Path("abacus-prm-run"), help="checkpoint folder")
    train.add_argument("--weights", type=Path, default=weights_path(), help="export folder")
    evaluate = commands.add_parser("evaluate", help="measure with vLLM; fails if below par")
    evaluate.add_argument("--problems", type=int, default=50, help="problems a level")
    evaluate.add_argument("--samples", type=int, default=16, help="samples a problem")
    evaluate.add_argument("--weights", type=Path, default=weights_path(), help="model folder")
    evaluate.add_argument("--write", action="store_true", help="put the tables into README.md")
    arguments = parser.parse_args()
    return _train(arguments) if arguments.command == "train" else _evaluate(arguments)


def _train(arguments: argparse.Namespace) -> int:
    from cluster.models.abacus_prm.train import Trainer
    from cluster.models.training import Limits

    trainer = Trainer(arguments.seed, arguments.run, arguments.weights)
    trainer.run(Limits(int(arguments.tokens), arguments.minutes))
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from cluster.models.abacus.evaluate import write_tables
    from cluster.models.abacus_prm.evaluate import evaluate

    outcome = evaluate(arguments.weights, arguments.problems, arguments.samples)
    print(outcome.tables)
    if arguments.write:
        write_tables(Path(__file__).resolve().parent / "README.md", outcome.tables)
    for text in outcome.missed:
        print(f"missed: {text}", file=sys.stderr)
    return 1 if outcome.missed else 0


if __name__ == "__main__":
    sys.exit(main())
