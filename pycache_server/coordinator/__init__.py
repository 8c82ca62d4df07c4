"""Who is nominated to lead a group, where an engine that exists already says so: etcd, Consul, or nobody but the group.

A coordinator takes the place of *nomination*, never of the votes. Whoever holds the engine's key nominates itself, and
is then elected by the votes of the group or is not: votes compare positions (election/machine.py), so an engine that is
wrong, late or of two minds can cost an election, never an acknowledged write. Therefore nothing here needs to be safe;
it needs to be quick, to end, and to say the truth about what it holds.

- ``engine`` the one interface of all engines: acquire, renew, release, watch, members, token
- ``group`` what is asked of the group, and told to it
- ``candidacy`` the decisions: who may stand, when to acquire, renew and release, what a lost lease means
- ``endpoints`` the addresses of an engine, and which one is asked next
- ``etcd``, ``consul`` what is said to these engines and what their answers mean: JSON, no sockets

The connections are in server/coordinator/. Nothing here has a clock, chance or socket of its own.
"""
