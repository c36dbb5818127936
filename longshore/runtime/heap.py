"""Keeps Python's garbage collector from looking again and again at what lives as long as the program."""

import gc


def freeze_heap() -> None:
    """To be called once a program is ready. All that it has imported and built is left out of later collections.

    One full collection of a program's some 200,000 objects stops all its threads for 50 ms and more, which is what
    the slowest deliveries were slow of (Python's documentation of `gc.freeze`).
    """
    gc.freeze()  # without a collection first, which would only delay the start
