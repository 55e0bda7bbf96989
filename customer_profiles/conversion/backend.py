"""Keras, loaded when it is first needed."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def keras() -> Any:
    """The Keras module.

    TensorFlow 2.21 greets from C++ on stderr before any log level counts, so stderr is put aside while it
    is imported (the command line sets the level for what follows). An import that fails still raises.
    """
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras
        import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)
    return keras
