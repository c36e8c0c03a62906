"""Serves a model with ray.serve.llm until it is interrupted: a script for the peer's environment.

``python peer_server.py SPEC.json READY``: SPEC says ``host``, ``port`` and, for
`ray.serve.llm.build_openai_app`, ``llm``; the file READY is made when all replicas serve. Imports
nothing of this project, which that environment does not have.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any


def main(spec: dict[str, Any], ready: Path) -> None:
    import ray
    from ray import serve
    from ray.serve.llm import build_openai_app

    quiet = {"enable_access_log": False, "log_level": "WARNING"}
    # An address of its own: with none, Ray would join a cluster that runs here already.
    ray.init(address="local", log_to_driver=True)
    try:
        serve.start(http_options={"host": spec["host"], "port": spec["port"]}, logging_config=quiet)
        serve.run(build_openai_app(spec["llm"]), route_prefix="/", logging_config=quiet)
        ready.touch()
        while True:
            signal.pause()
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
