"""A shelf of passages in a vector database: Qdrant, in this process or as a server or cluster.

Why Qdrant is told by `benchmarks/vector_databases.py`. In this process it compares the question with every
passage, so what it finds is exact; a server keeps an index, which is quick among millions and may miss one.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from jaxtyping import Float
from qdrant_client import QdrantClient, models
from torch import Tensor

NAME = "passages"


class Hit(NamedTuple):
    """A passage that was found."""

    number: int  # where it stands on the shelf, from 0
    passage: str
    cosine: float


class Collection:
    """Passages, each with the vector by which it is found.

    A new shelf holds what it is given, whatever lay at that place before. It is in memory; with `path`, in a
    folder, which one process at a time may open; with `url`, on a server. `Collection.opened` finds one again.
    """

    def __init__(
        self,
        passages: Sequence[str],
        vectors: Float[Tensor, "passages d_model"],
        *,
        path: str | None = None,
        url: str | None = None,
    ) -> None:
        if len(passages) != len(vectors):
            raise ValueError(f"{len(passages)} passages and {len(vectors)} vectors")
        self._client = _client(path, url)
        if self._client.collection_exists(NAME):
            self._client.delete_collection(NAME)
        size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
        self._client.create_collection(NAME, vectors_config=size)
        if passages:
            self._put(range(len(passages)), passages, vectors)

    @classmethod
    def opened(cls, *, path: str | None = None, url: str | None = None) -> Self:
        """The shelf that was built at this place before."""
        shelf = cls.__new__(cls)
        shelf._client = _client(path, url)
        if not shelf._client.collection_exists(NAME):
            shelf.close()
            raise LookupError(f"there is no shelf at {path or url or 'a new place in memory'}")
        return shelf

    def nearest(self, vector: Float[Tensor, " d_model"], k: int) -> list[Hit]:
        """The `k` passages with the largest cosine to a vector, best first; of equals, the first on the shelf."""
        found = self._client.query_points(NAME, query=vector.tolist(), limit=k).points
        hits = [Hit(int(point.id), str(point.payload["passage"]), float(point.score)) for point in found]
        return sorted(hits, key=lambda hit: (-hit.cosine, hit.number))

    def replace(self, number: int, passage: str, vector: Float[Tensor, " d_model"]) -> None:
        """The law has changed: from now on another passage stands at this place, or one at a new place."""
        self._put([number], [passage], vector.unsqueeze(0))

    def remove(self, number: int) -> None:
        """This passage no longer holds."""
        self._client.delete(NAME, points_selector=[number], wait=True)

    def __len__(self) -> int:
        return int(self._client.count(NAME).count)

    def close(self) -> None:
        """Let others have the folder."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(
        self, numbers: Sequence[int], passages: Sequence[str], vectors: Float[Tensor, "passages d_model"]
    ) -> None:
        batch = models.Batch(
            ids=list(numbers),
            vectors=vectors.tolist(),
            payloads=[{"passage": passage} for passage in passages],
        )
        self._client.upsert(NAME, points=batch, wait=True)  # the next question sees it


def _client(path: str | None, url: str | None) -> QdrantClient:
    if path is not None and url is not None:
        raise ValueError("a shelf is in a folder or on a server, not both")
    if url is not None:
        return QdrantClient(url=url)
    return QdrantClient(path=path) if path is not None else QdrantClient(":memory:")
