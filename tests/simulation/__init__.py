"""Clusters of the product's own members on a simulated network, with a virtual clock and an adversary.

``python -m tests.simulation.run --help`` runs seeds, repeats one with its log, and takes rules away.
"""
