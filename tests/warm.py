"""A process that has paid for the imports of torch, pytest and Jupyter, and runs modules in forks of itself.

Requests come a line each on standard input: see `trees.Warm`. A notebook's kernel is a fork too: nbval
starts it as it starts any other, but importing takes it no time.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import time
from importlib.metadata import entry_points

from jupyter_client.provisioning import local_provisioner

IMPORTED = (
    *("jaxtyping", "nbformat", "numpy", "pytest", "rich.console", "torch", "typer", "watchfiles"),
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "IPython.core.interactiveshell"),
)


class Kernel:
    """A fork that waits to become a kernel; to jupyter_client it is a process that it has started."""

    stdin = stdout = stderr = None

    def __init__(self):
        read, self._order = os.pipe()
        self.pid, self.returncode = os.fork(), None
        if self.pid == 0:
            os.close(self._order)
            become_kernel(read)
        os.close(read)

    def launch(self, command, cwd=None, env=None, **_):
        """What jupyter_client calls to start a kernel."""
        order = {"command": command, "cwd": cwd, "environment": env}
        os.write(self._order, json.dumps(order).encode())
        os.close(self._order)
        return self

    def poll(self):
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self):
        while self.poll() is None:
            time.sleep(0.005)
        return self.returncode

    def send_signal(self, signum):
        os.kill(self.pid, signum)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def become_kernel(read):
    """Wait for the order, and be the kernel that it asks for; nothing else if there is none."""
    os.setsid()
    with open(read, "rb") as file:
        order = file.read()
    if not order:
        os._exit(0)
    order = json.loads(order)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    _, dash_m, module, *arguments = order["command"]
    assert dash_m == "-m"
    as_main(module, arguments)


def as_main(module, arguments):
    """Be `python -m module arguments`, and end."""
    sys.argv = [module, *arguments]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # tearing down what was imported would take longer than most commands


def run(request):
    """Be the module that is asked for, in its folder and with its streams."""
    for stream, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(os.path.join(request["streams"], name), os.O_RDWR | os.O_CREAT), stream)
    sys.stdin = os.fdopen(0, closefd=False)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = os.environ["PYTHONPATH"]  # where this file lies
    module, *arguments = request["arguments"]
    if "--nbval" in arguments:
        local_provisioner.launch_kernel = Kernel().launch
    as_main(module, arguments)


def main():
    for name in IMPORTED:
        importlib.import_module(name)
    for plugin in entry_points(group="pytest11"):  # each run of pytest loads them all
        plugin.load()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            request = json.loads(line)
            if (child := os.fork()) == 0:
                run(request)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            done = os.path.join(request["streams"], "code")
            with open(done + ".part", "w") as file:
                file.write(str(code))
            os.rename(done + ".part", done)
            os._exit(0)


if __name__ == "__main__":
    main()
