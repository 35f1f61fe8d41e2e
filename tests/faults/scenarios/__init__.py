"""Importing this package registers every scenario, in the order of the table."""

from . import database, history, failover, network, pingpong, clients, reader, views, writer  # noqa: F401
