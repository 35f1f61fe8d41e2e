"""The one exception that ends a run with a message instead of a traceback."""


class BenchError(Exception):
    pass
