"""The sockets of the coordinators, and the task that drives one: coordinator/ has the decisions."""
