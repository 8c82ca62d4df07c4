"""What bench/failover.py is made of: places on a network that can be cut, processes, clients, faults, a judge."""
