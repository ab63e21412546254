"""Memory: what is here to stay is made without Python's collector looking through it, which would hold up who asks."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Meanwhile nothing is collected; afterwards what is there is never looked through again.

    Whatever is let go of later is freed at once, unless it is part of a circle: break that before.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
