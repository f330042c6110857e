"""The retrieval chain of `plain`, composed by LangChain: retriever | prompt | model."""

from collections.abc import Callable
from typing import Any

import langsmith
from langchain_core.callbacks import CallbackManagerForLLMRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models.llms import LLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from pydantic import ConfigDict
from torch import Tensor

from nexttoken.applications import augment_prompt
from nexttoken.lab.outside.vector_database import Collection

langsmith.configure(enabled=False)  # also where LangChain was imported before this course could say so


class Clerk(LLM):
    """Any function from a prompt to an answer, as a model of LangChain."""

    write: Callable[[str], str]

    @property
    def _llm_type(self) -> str:
        return "next-token"

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        answer = self.write(prompt)
        return answer[: min((answer.find(end) for end in stop or [] if end in answer), default=len(answer))]


class Librarian(BaseRetriever):
    """Fetches from a shelf the passages nearest to a question."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    shelf: Collection
    embed: Callable[[list[str]], Tensor]
    k: int

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        hits = self.shelf.nearest(self.embed([query])[0], self.k)
        return [
            Document(page_content=hit.passage, metadata={"number": hit.number, "cosine": hit.cosine})
            for hit in hits
        ]


def chain(
    write: Callable[[str], str], embed: Callable[[list[str]], Tensor], shelf: Collection, k: int, room: int
) -> Runnable[str, str]:
    """`chain(...).invoke(question)` is the answer; `.batch(questions)` and `.stream(question)` come with it."""

    def prompt(found: dict[str, Any]) -> str:
        return augment_prompt(found["question"], [page.page_content for page in found["passages"]], room)

    librarian = Librarian(shelf=shelf, embed=embed, k=k)
    both = RunnableParallel(question=RunnablePassthrough(), passages=librarian)
    composed: Runnable[str, str] = both | RunnableLambda(prompt) | Clerk(write=write)
    return composed
