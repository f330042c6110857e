"""The course's model inside other people's software: a vector database, LangChain, Semantic Kernel.

They are installed by one command, and nothing else in the course needs them:

    from nexttoken.lab import outside

    if said := outside.missing():
        print(said)
    else:
        from nexttoken.lab.outside import langchain, semantic_kernel, vector_database

`plain` does by hand what the other modules do with the frameworks, and needs nothing installed. None of them
calls a network: all runs in this process, and what the frameworks could send home is switched off here,
whatever the surroundings say.
"""

import importlib.util
import os

PARTS = {  # what is installed -> what is imported
    "qdrant-client": "qdrant_client",
    "langchain-core": "langchain_core",
    "semantic-kernel": "semantic_kernel",
}
SWITCHED_OFF = {
    # LangChain would send each prompt and answer to LangSmith.
    "LANGSMITH_TRACING": "false",
    "LANGSMITH_TRACING_V2": "false",
    "LANGCHAIN_TRACING_V2": "false",
    # Semantic Kernel would report each call to OpenTelemetry, with what was said in it.
    "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS": "false",
    "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE": "false",
    "AZURE_TELEMETRY_DISABLED": "true",
    "OTEL_SDK_DISABLED": "true",
}
os.environ.update(SWITCHED_OFF)  # before any of them is imported: they look once


def missing(*parts: str) -> str:
    """One sentence that says which parts (all, if none is named) are not installed and how to get them, or ""."""
    absent = [part for part in parts or PARTS if importlib.util.find_spec(PARTS[part]) is None]
    if not absent:
        return ""
    named = " and ".join([", ".join(absent[:-1]), absent[-1]] if absent[1:] else absent)
    are, them = ("are", "them") if absent[1:] else ("is", "it")
    return f"{named} {are} not installed; `make applications` installs {them}."
