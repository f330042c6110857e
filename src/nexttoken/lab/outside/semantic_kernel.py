"""The retrieval chain of `plain`, in Semantic Kernel: a plugin that looks up, and a service that writes.

A kernel holds services (models) and plugins (functions that are called by name). Its templates turn `<` into
`&lt;` in all that is filled in, so that no document can forge the marks of a chat; a service that completes
texts gets them turned back. So the marks of our prompts arrive as they are, and so would forged ones: it is
`augment_prompt` that removes those.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.connectors.ai.text_completion_client_base import TextCompletionClientBase
from semantic_kernel.contents import TextContent
from semantic_kernel.functions import KernelFunctionFromPrompt, kernel_function
from torch import Tensor

from nexttoken.applications import augment_prompt
from nexttoken.lab.outside.vector_database import Collection

Result = TypeVar("Result")


class Clerk(TextCompletionClientBase):
    """Any function from a prompt to an answer, as a service of Semantic Kernel."""

    write: Callable[[str], str]

    async def _inner_get_text_contents(
        self, prompt: str, settings: PromptExecutionSettings
    ) -> list[TextContent]:
        return [TextContent(ai_model_id=self.ai_model_id, text=self.write(prompt))]


class Law:
    """A plugin: what can be looked up, and how a prompt is made of it."""

    def __init__(self, shelf: Collection, embed: Callable[[list[str]], Tensor], k: int, room: int) -> None:
        self._shelf, self._embed, self._k, self._room = shelf, embed, k, room

    @kernel_function(description="The passages of the law that are nearest to a question, the best first.")
    def look_up(self, question: str) -> list[str]:
        return [hit.passage for hit in self._shelf.nearest(self._embed([question])[0], self._k)]

    @kernel_function(description="A prompt that shows the model these passages before it answers.")
    def prompt(self, question: str, passages: list[str]) -> str:
        return augment_prompt(question, passages, self._room)


def desk(
    write: Callable[[str], str], embed: Callable[[list[str]], Tensor], shelf: Collection, k: int, room: int
) -> Kernel:
    """A kernel with the model as its service, and the plugin `law`."""
    kernel = Kernel(services=Clerk(ai_model_id="next-token", write=write))
    kernel.add_plugin(Law(shelf, embed, k, room), plugin_name="law")
    kernel.add_function("desk", KernelFunctionFromPrompt("answer", prompt="{{$prompt}}"))
    return kernel


def ask(kernel: Kernel, question: str) -> str:
    """Look up, make a prompt of it, answer: each step a function of the kernel, called by its name."""

    async def steps() -> str:
        passages = await kernel.invoke(plugin_name="law", function_name="look_up", question=question)
        prompt = await kernel.invoke(
            plugin_name="law", function_name="prompt", question=question, passages=passages.value
        )
        return str(await kernel.invoke(plugin_name="desk", function_name="answer", prompt=prompt.value))

    return _finished(steps())


def _finished(work: Coroutine[Any, Any, Result]) -> Result:
    """Wait for it, also in a notebook, where this thread has a loop that runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as another:
        return another.submit(contextvars.copy_context().run, asyncio.run, work).result()
