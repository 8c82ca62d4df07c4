"""For programs that use the server: ``ReadPool`` spreads reads over followers. Needs redis-py (extra ``client``)."""

from pycache_server.client.balance import BALANCERS, Node
from pycache_server.client.pool import ReadPool

__all__ = ["BALANCERS", "Node", "ReadPool"]
