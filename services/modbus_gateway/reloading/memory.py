"""Memory: what is here to stay is made without Python's collector looking through it, which would hold up who asks."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed(*, tidies: bool = False) -> Iterator[None]:
    """Meanwhile nothing is collected; afterwards what is there is never looked through again.

    Whatever is let go of later is freed at once, unless it is part of a circle: break that before.

    Args:
        tidies: collect once at the end, while nobody is served yet: it holds up everybody for as long as it takes.
    """
    gc.disable()
    try:
        yield
    finally:
        if tidies:
            gc.collect()
        gc.freeze()
        gc.enable()
