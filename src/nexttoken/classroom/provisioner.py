"""How Jupyter gets a kernel from the warm process: its own extension point, a kernel provisioner."""

import asyncio
import json
import os
import select
import shutil
import socket
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from nexttoken.classroom import box

NAME = "nexttoken-warm"
LARGEST_MESSAGE = 4_000_000  # bytes; whoever sends more of one is cut off
MESSAGES_WAITING = 100  # in our memory; the others wait in the kernel's


class CarefulClient(BlockingKernelClient):
    """A client whose memory a kernel cannot fill while nobody reads what it sends."""

    def _context_default(self) -> "zmq.Context[zmq.Socket[bytes]]":
        context = super()._context_default()
        context.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)  # for the sockets that are made from now on
        context.setsockopt(zmq.RCVHWM, MESSAGES_WAITING)
        return context


class WarmProvisioner(KernelProvisionerBase):
    """Asks the warm process for a kernel; what it needs is in the environment, as a client's is."""

    _keeper: socket.socket | None = None
    _ended: str | None = None
    _unread = b""

    @property
    def has_process(self) -> bool:
        return self._keeper is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager: Any = self.parent
        self._folder = tempfile.mkdtemp(prefix="kernel-", dir=request()["folder"])
        manager.connection_file = f"{self._folder}/connection.json"
        manager.client_factory = CarefulClient
        manager.transport, manager.ip = "ipc", f"{self._folder}/k"
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        return await super().pre_launch(cmd=["warm"], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        asked = request()
        sockets = "/tmp/k" if asked["sandbox"] else f"{self._folder}/k"
        key: Any = self.connection_info["key"]
        info = dict(self.connection_info, ip=sockets, key=key.decode())
        self._keeper = connected(os.environ["NEXTTOKEN_WARM"])
        message = asked | {"kind": "kernel", "connection": info, "folder": self._folder}
        self._keeper.sendall(json.dumps(message).encode() + b"\n")
        said = self._next_word(60)
        if said is None or "pid" not in said:
            raise RuntimeError((said or {}).get("error", "the warm process gives no kernel"))
        if asked["sandbox"]:  # the sockets lie in the kernel's own /tmp, and are reached through /proc
            manager: Any = self.parent
            self.connection_info["ip"] = manager.ip = str(box.seen_from_outside(said["pid"]) / "tmp" / "k")
        return self.connection_info

    def _next_word(self, seconds: float) -> dict[str, Any] | None:
        """What the keeper says next; None if that is nothing for so long, and {} if it is gone."""
        assert self._keeper is not None
        while b"\n" not in self._unread:
            if not select.select([self._keeper], [], [], seconds)[0]:
                return None
            data = self._keeper.recv(65536)
            if not data:
                return {}
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        word: dict[str, Any] = json.loads(line)
        return word

    async def poll(self) -> int | None:
        if self._keeper is None:
            return 0
        if self._ended is None and (said := self._next_word(0)) is not None:
            self._ended = said.get("ended", "the kernel is gone")
        return None if self._ended is None else 1

    @property
    def why_it_ended(self) -> str:
        return self._ended or ""

    async def wait(self) -> int | None:
        while await self.poll() is None:
            await asyncio.sleep(0.002)
        return 0

    async def send_signal(self, signum: int) -> None:
        if self._keeper is not None and self._ended is None:
            self._keeper.send(b"i")  # Jupyter sends an interrupt, and nothing else

    async def kill(self, restart: bool = False) -> None:
        if self._keeper is not None and self._ended is None:
            self._keeper.shutdown(socket.SHUT_WR)

    async def terminate(self, restart: bool = False) -> None:
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        shutil.rmtree(self._folder, ignore_errors=True)


def connected(address: str) -> socket.socket:
    """A connection to the warm process."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.connect(address)
    return line


_request: dict[str, Any] = {}


def request() -> dict[str, Any]:
    """What the kernels of this process are asked for with."""
    return _request


def provide(asked: dict[str, Any], folder: Path) -> None:
    """Make warm kernels known to Jupyter in this process, under the kernel name `NAME`."""
    _request.clear()
    _request.update(asked, folder=str(folder))
    KernelProvisionerFactory.instance().provisioners[NAME] = EntryPoint(
        NAME, f"{__name__}:WarmProvisioner", KernelProvisionerFactory.GROUP_NAME
    )
    kernel = folder / "kernels" / NAME
    kernel.mkdir(parents=True)
    spec = {
        "argv": ["warm"],
        "display_name": "Warm Python",
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": NAME}},
    }
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    os.environ["JUPYTER_PATH"] = str(folder)
