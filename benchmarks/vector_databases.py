"""Which vector database runs in the process and grows to a cluster? Qdrant, Milvus Lite and LanceDB.

    python benchmarks/vector_databases.py [--sizes 12 1000 20000] [--queries 100]

For each one that is installed: how much it installs (with all that it needs, NumPy aside, which the course has
already), how long its import takes in a fresh process, and then, for each number of vectors of 64 numbers, the
seconds to add them with their texts and the CPU milliseconds of a query for the ten nearest by cosine, one
query at a time. Each is used as its first page tells beginners to, without an index of one's own choosing. Recall
is the share of the ten that brute force also finds. Last, one text is replaced and asked for at once, as when a
law changes: does the next query see it?

Not equal: Qdrant is measured in memory and in a folder, Milvus Lite and LanceDB in a folder. Milvus Lite
answers through a port of this machine, from a thread of the same process. Adding is timed by the clock on the
wall, because a folder has to wait for the disk (Qdrant's for each vector); a query by the CPU time of all threads
of the process, because a busy machine cannot distort that.

What a program cannot measure, looked up in November 2026:

                 last release      licence      a server or cluster with the same client, in the open
    Qdrant       1.20.0, October   Apache-2.0   yes: QdrantClient(url=...), one server or a cluster
    Milvus Lite  3.2.2, October    Apache-2.0   yes: MilvusClient(uri=...), one server or a cluster
    LanceDB      0.40.0, October   Apache-2.0   no: a library over files or object stores; its server is sold
"""

import argparse
import importlib.metadata
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

NUMBERS, NEAREST = 64, 10
INSTALL = """not installed: {module}. Each in an environment of its own, from the course's folder:
    python3 -m venv .venv-{module}
    .venv-{module}/bin/pip install numpy '{package}'
    .venv-{module}/bin/python benchmarks/vector_databases.py"""


class Database(Protocol):
    """What is asked of each."""

    def add(self, vectors: np.ndarray, texts: Sequence[str]) -> None: ...

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[int, str]]: ...

    def replace(self, number: int, vector: np.ndarray, text: str) -> None: ...

    def close(self) -> None: ...


class Qdrant:
    """In memory, or in a folder."""

    def __init__(self, folder: str | None) -> None:
        from qdrant_client import QdrantClient, models

        self.models = models
        self.client = QdrantClient(path=folder) if folder else QdrantClient(":memory:")
        size = models.VectorParams(size=NUMBERS, distance=models.Distance.COSINE)
        self.client.create_collection("texts", vectors_config=size)

    def add(self, vectors: np.ndarray, texts: Sequence[str]) -> None:
        payload = ({"text": text} for text in texts)
        self.client.upload_collection("texts", vectors=vectors, payload=payload, ids=range(len(texts)))

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[int, str]]:
        found = self.client.query_points("texts", query=vector, limit=k).points
        return [(int(point.id), point.payload["text"]) for point in found]

    def replace(self, number: int, vector: np.ndarray, text: str) -> None:
        point = self.models.PointStruct(id=number, vector=vector.tolist(), payload={"text": text})
        self.client.upsert("texts", points=[point])

    def close(self) -> None:
        self.client.close()


class Milvus:
    """In a file that pymilvus hands to Milvus Lite."""

    def __init__(self, folder: str | None) -> None:
        from pymilvus import MilvusClient

        self.client = MilvusClient(f"{folder}/texts.db")
        self.client.create_collection("texts", dimension=NUMBERS, metric_type="COSINE")

    def add(self, vectors: np.ndarray, texts: Sequence[str]) -> None:
        rows = [
            {"id": i, "vector": v.tolist(), "text": t}
            for i, (v, t) in enumerate(zip(vectors, texts, strict=True))
        ]
        for first in range(0, len(rows), 5000):  # a message holds at most some MB
            self.client.insert("texts", rows[first : first + 5000])

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[int, str]]:
        (found,) = self.client.search("texts", data=[vector.tolist()], limit=k, output_fields=["text"])
        return [(int(hit["id"]), hit["entity"]["text"]) for hit in found]

    def replace(self, number: int, vector: np.ndarray, text: str) -> None:
        self.client.upsert("texts", [{"id": number, "vector": vector.tolist(), "text": text}])

    def close(self) -> None:
        self.client.close()


class Lance:
    """In a folder."""

    def __init__(self, folder: str | None) -> None:
        import lancedb

        self.database = lancedb.connect(folder)

    def add(self, vectors: np.ndarray, texts: Sequence[str]) -> None:
        rows = [
            {"id": i, "vector": v, "text": t} for i, (v, t) in enumerate(zip(vectors, texts, strict=True))
        ]
        self.table = self.database.create_table("texts", rows)

    def nearest(self, vector: np.ndarray, k: int) -> list[tuple[int, str]]:
        found = self.table.search(vector).distance_type("cosine").limit(k).to_list()
        return [(int(row["id"]), row["text"]) for row in found]

    def replace(self, number: int, vector: np.ndarray, text: str) -> None:
        row = [{"id": number, "vector": vector, "text": text}]
        self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(row)

    def close(self) -> None: ...


class Contender(NamedTuple):
    name: str
    module: str  # what is imported
    package: str  # what is installed, with what makes it run in the process
    open: Callable[[str | None], Database]
    in_memory: bool = False


CONTENDERS = (
    Contender("Qdrant, in memory", "qdrant_client", "qdrant-client", Qdrant, in_memory=True),
    Contender("Qdrant, in a folder", "qdrant_client", "qdrant-client", Qdrant),
    Contender("Milvus Lite", "pymilvus", "pymilvus[milvus-lite]", Milvus),
    Contender("LanceDB", "lancedb", "lancedb", Lance),
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(package: str) -> set[str]:
    """The installed packages that a package needs, itself included; an extra stands in brackets."""
    seen: set[str] = set()
    waiting = [package]
    while waiting:
        name, _, extras = waiting.pop().partition("[")
        wanted = {canonical(extra.strip()) for extra in extras.rstrip("]").split(",")}
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another machine, or another Python
        if canonical(name) in seen:
            continue
        seen.add(canonical(name))
        for requirement in requirements:
            asked, _, condition = requirement.partition(";")
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", condition)
            if extra is None or canonical(extra[1]) in wanted:
                waiting.append(re.match(r"[\w.-]+(\[[\w., -]+\])?", asked.strip())[0])
    return seen


def megabytes(packages: set[str]) -> float:
    """What their files take, in millions of bytes."""
    files = (file.locate() for name in packages for file in importlib.metadata.files(name) or [])
    return sum(Path(file).stat().st_size for file in files if Path(file).is_file()) / 1e6


def import_seconds(module: str, rounds: int = 3) -> float:
    """The median of some fresh processes; NumPy is there before."""
    code = f"import numpy, time; begin = time.perf_counter(); import {module}; print(time.perf_counter() - begin)"
    command = [sys.executable, "-c", code]
    return statistics.median(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(rounds)
    )


class Found(NamedTuple):
    add: float  # seconds
    query: float  # CPU milliseconds
    recall: float
    seen: bool  # a change, by the next query


def measure(contender: Contender, size: int, queries: int, seed: int = 0) -> Found:
    """Add, ask, and change one."""
    numbers = np.random.default_rng(seed)
    vectors = numbers.standard_normal((size, NUMBERS), dtype=np.float32)
    asked = numbers.standard_normal((queries, NUMBERS), dtype=np.float32)
    texts = [f"rule {i}" for i in range(size)]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = np.argsort(-(asked @ unit.T), axis=1)[:, :NEAREST]
    with tempfile.TemporaryDirectory() as folder:
        database = contender.open(None if contender.in_memory else folder)
        begin = time.perf_counter()
        database.add(vectors, texts)
        added = time.perf_counter() - begin
        database.nearest(asked[0], NEAREST)  # what is done only once is not counted
        milliseconds, right = [], []
        for vector, true in zip(asked, nearest, strict=True):
            begin = time.process_time()
            found = database.nearest(vector, NEAREST)
            milliseconds.append(1000 * (time.process_time() - begin))
            right.append(len({number for number, _ in found} & set(true.tolist())) / len(true))
        database.replace(0, -vectors[0], "the new rule")
        seen = database.nearest(-vectors[0], 1) == [(0, "the new rule")]
        database.close()
    return Found(added, statistics.median(milliseconds), statistics.fmean(right), seen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[12, 1000, 20_000], help="how many vectors")
    parser.add_argument("--queries", type=int, default=100, help="asked one after the other")
    parser.add_argument("--check", action="store_true", help="only see that it runs: 12 vectors, 2 queries")
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
    sizes, queries = ([12], 2) if chosen.check else (chosen.sizes, chosen.queries)
    there: dict[str, str] = {}  # the heading of each that is installed
    for contender in CONTENDERS:
        if contender.module in there:
            continue
        try:
            __import__(contender.module)
        except ImportError:
            print(INSTALL.format(module=contender.module, package=contender.package))
            continue
        packages = needed(contender.package) - {"numpy"}
        version = importlib.metadata.version(contender.package.partition("[")[0])
        there[contender.module] = (
            f"{contender.package} {version}: {megabytes(packages):.0f} MB in {len(packages)} packages, "
            f"import {import_seconds(contender.module):.2f} s"
        )
    for heading in there.values():
        print(heading)
    if there:
        print(f"\n{'':20} {'vectors':>8} {'add, s':>8} {'query, CPU ms':>14} {'recall':>7}  a change is seen")
    for contender in CONTENDERS:
        for size in sizes if contender.module in there else []:
            found = measure(contender, size, queries)
            print(
                f"{contender.name:20} {size:8,} {found.add:8.3f} {found.query:14.2f} {found.recall:7.3f}"
                f"  {'at once' if found.seen else 'NOT at once'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
