"""What every test that needs real processes shares.

Put ``tests/`` on ``sys.path`` and import the modules::

    from harness.postgres import Cluster
    from harness.process import Daemon, eventually, free_port
    from harness.http import get, Connection

Nothing here touches a process, a port or a directory that it did not make itself.
"""
