"""Calls between two processes over one TCP connection: many at once, in both directions' order.

A call through a Serve handle costs both sides about a millisecond of CPU; these cost a twentieth.
Serve finds who is to be called (`cluster.calls`), and replaces it when it dies.
"""
