"""Transactions (RFC 3261 §17, RFC 6026): the four machines as tables, their timers, and the layer that matches messages.

Retransmissions end here: nothing above sees the same request twice.
"""
