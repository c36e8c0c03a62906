"""The application: settings in, Serve deployments out. Import path of every Serve config.

Annotations are evaluated here: Serve reads the builder's to validate ``args``.
"""

from typing import Any, cast

from ray.serve import Application

from cluster.controller.deployment import Controller
from cluster.engine.deployment import Engine, Scorer
from cluster.ingress.deployment import Ingress
from cluster.settings import EngineSettings, Settings


def app(args: Settings) -> Application:
    """Build the application. Numbers of replicas and autoscaling belong to the Serve config's
    ``deployments``; everything else is in ``args``.

    Raises:
        pydantic.ValidationError: a field is unknown or out of range (raised by Serve, which builds
            ``args``).
    """
    # The decorator that turns a class into a deployment is untyped.
    controllers, engines, scorers, ingresses = cast(Any, (Controller, Engine, Scorer, Ingress))
    controller = controllers.bind(args.controller)
    pools = [engines.options(**engine_resources(args.engine)).bind(args, controller)]
    if args.reward is not None:
        pools.append(scorers.options(**engine_resources(args.reward)).bind(args, controller))
    return cast(Application, ingresses.bind(args, controller, pools))


def engine_resources(engine: EngineSettings) -> dict[str, Any]:
    """What Ray reserves for one engine replica, as deployment options.

    A model that spans several devices gets a placement group with one bundle a rank; vLLM places
    its workers in it. The replica itself lives in the first bundle and takes only its CPUs.
    """
    if engine.device == "cpu":
        return {"ray_actor_options": {"num_cpus": engine.num_cpus}}
    if engine.ranks == 1:
        return {"ray_actor_options": {"num_cpus": engine.num_cpus, "num_gpus": 1}}
    first = {"CPU": max(1.0, engine.num_cpus), "GPU": 1.0}
    return {
        "ray_actor_options": {"num_cpus": engine.num_cpus},
        "placement_group_bundles": [first] + [{"GPU": 1.0}] * (engine.ranks - 1),
        "placement_group_strategy": "PACK",
    }
