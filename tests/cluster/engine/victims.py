"""What tests call in a sandbox: the kinds of harm that code does."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PREPARED: list[str] = []
CALLS: list[int] = []


def sandbox_prepare(name: str) -> None:
    PREPARED.append(name)


def prepared() -> list[str]:
    return PREPARED


def imported(module: str) -> bool:
    return module in sys.modules


def calls_seen() -> int:
    """Leaves a mark, and breaks what it can reach."""
    CALLS.append(1)
    os.chdir("/")
    os.environ["LEFT"] = "behind"
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    return len(CALLS)


def fail(message: str) -> None:
    raise LookupError(message)


def untellable() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise Odd


def pid() -> int:
    return os.getpid()


def noisy() -> str:
    print("not a reply", flush=True)
    sys.stderr.write("nor this")
    os.system("echo nor this")
    return sys.stdin.read()


def surroundings() -> dict[str, Any]:
    return {
        "files": os.listdir(),
        "folder": os.getcwd(),
        "niceness": os.nice(0),
        "order": list({"one", "two", "three", "four"}),
    }


def eat(size: int) -> int:
    return len(bytearray(size))


def write_file(size: int) -> None:
    Path("file").write_bytes(bytes(size))


def deaf(seconds: float) -> None:
    """Hangs and ignores every signal that can be ignored."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def with_thread() -> str:
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return "done"


def with_children(mark: str, hang: bool) -> str:
    """Leaves processes behind: a child, its child, and one in a session of its own."""
    script = (
        f"import time, subprocess; subprocess.Popen(['sleep', '{mark}']); "
        f"print('there', flush=True); time.sleep({mark})"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    subprocess.Popen(["sleep", mark], start_new_session=True)
    assert child.stdout is not None and child.stdout.readline() == b"there\n"
    if hang:
        time.sleep(1000)
    return "done"


def kill_worker() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(1000)


def half(question: str, response: str, reference: Any) -> float:
    return 0.5


def echo(question: str, response: str, reference: Any) -> Any:
    """Returns the reference, or the number that it names."""
    return float(reference) if reference in ("nan", "inf") else reference


def slow(question: str, response: str, reference: Any) -> float:
    time.sleep(1000)
    return 1.0


not_a_function = 3
