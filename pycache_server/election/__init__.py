"""Who leads a group: epochs, votes, promises and leases, as a machine without clock, chance, socket or file.

The protocol with its reasons is docs/design/election.md. In short it is Raft's election (Ongaro and Ousterhout, 2014;
Ongaro's thesis for pre-vote, transfer and check-quorum) over Redis's replication stream, and for voters that have lost
their memory the recovery of Viewstamped Replication Revisited (Liskov and Cowling, 2012) with the mend of Michael et
al. (DISC 2017).

- ``messages`` what voters say to each other; ``wire`` its form in bytes, signed
- ``state`` what a voter has on disk, and its form as text
- ``machine`` the voter; its parts are ``promise``, ``lease``, ``rounds`` and ``forming``
- ``stream`` what the machine asks of the replication beneath it (repl/member.py)
- ``actions`` what the machine wants done, in this order: an action that persists stands before any send that needs it
"""
