"""Next Token, Please: how a language model works, finished by its reader."""

__version__ = "0.1.0"
