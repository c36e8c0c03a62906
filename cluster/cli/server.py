"""The `serve run` process that `dynasor up` starts: its files, its processes, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from cluster.cli.errors import CliError

RUN_DIR = Path(".run")
"""Where pid and log are kept, relative to the working directory."""

KILL_AFTER_S = 5.0
POLL_S = 0.1
SAME_START_S = 1.0
"""Start times of one process, read twice, differ by less: the clock may be adjusted meanwhile."""


class Server:
    """What ``run_dir`` says about a server, and the processes that belong to it.

    The server leads a session of its own. Everything in that session and everything descended from
    the server belongs to it, and nothing else is ever signalled. The pid is kept together with
    the time its process started, so that a pid used again by another process is told apart.
    """

    def __init__(self, run_dir: Path) -> None:
        self.log = run_dir / "serve.log"
        self.pid_file = run_dir / "serve.pid"
        self._run_dir = run_dir

    def start(self, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the server detached, its output in the log.

        Raises:
            CliError: its files can't be written, or another `up` is at it.
            OSError: the command can't be started.
        """
        # Else a server started by a background job, which ignores Ctrl-C, ignores `down` as well.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._run_dir.mkdir(parents=True, exist_ok=True)
            with self.log.open("wb") as log, self.pid_file.open("x") as pid_file:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=env,
                    start_new_session=True,
                )
                pid_file.write(f"{process.pid}\n{psutil.Process(process.pid).create_time()}\n")
        except FileExistsError:
            raise CliError(f"{self.pid_file} exists: another `dynasor up` is running") from None
        return process

    def members(self) -> list[psutil.Process]:
        """All live processes of the server, itself first if it lives."""
        known = self._known()
        if known is None:
            return []
        pid, started = known
        leader = _process(pid)
        if leader is not None and abs(leader.create_time() - started) <= SAME_START_S:
            return _alive([leader, *_descendants(leader), *_session(pid)])
        # A pid is not given out again while it is the id of a session, unless all has rebooted.
        orphaned = leader is None and started > psutil.boot_time()
        return _session(pid) if orphaned else []

    def leader_lives(self) -> bool:
        """Whether the server itself, not only something it started, is alive."""
        known = self._known()
        return known is not None and any(member.pid == known[0] for member in self.members())

    def stop(self, timeout_s: float) -> int:
        """End the server and all its processes, and forget it.

        Args:
            timeout_s: how long it has to end by itself after SIGINT; then follow SIGTERM and,
                `KILL_AFTER_S` later, SIGKILL.

        Returns:
            How many processes did not end by themselves.
        """
        members = self.members()
        # Of a server that is dead already, orphans may be left, which wait for nothing.
        asked = members[:1] if self.leader_lives() else []
        _signal(asked, signal.SIGINT)
        left = self._wait(members, timeout_s if asked else 0.0)
        killed = len(left)
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(left, number)
            left = self._wait(left, KILL_AFTER_S)
        self.forget()
        return killed

    def forget(self) -> None:
        """Remove the pid file; the log stays."""
        self.pid_file.unlink(missing_ok=True)

    def tail(self, lines: int) -> str:
        """The last lines of the log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def _known(self) -> tuple[int, float] | None:
        try:
            pid, started = self.pid_file.read_text().split()
            return int(pid), float(started)
        except (FileNotFoundError, ValueError):
            return None

    def _wait(self, members: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
        """Wait for the end of ``members`` and of what joins them; returns those still alive."""
        deadline = time.monotonic() + timeout_s
        left = _alive([*members, *self.members()])
        while left and time.monotonic() < deadline:
            psutil.wait_procs(left[:1], timeout=POLL_S)
            left = _alive([*left, *self.members()])
        return left


def _process(pid: int) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    return None


def _descendants(leader: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        found: list[psutil.Process] = leader.children(recursive=True)
        return found
    return []


def _session(session: int) -> list[psutil.Process]:
    found = []
    for pid in psutil.pids():
        with suppress(OSError):
            if os.getsid(pid) == session and (process := _process(pid)) is not None:
                found.append(process)
    return found


def _alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    left = []
    for process in dict.fromkeys(processes):
        with suppress(psutil.NoSuchProcess):
            # A zombie is over; whether its parent ever asks for its status is not our business.
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process)
    return left


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        # psutil compares start times first, so a pid that was used again is not hit.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
