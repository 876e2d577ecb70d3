"""Side-by-side benchmark: the same SIPp load against Kamailio and against this server, CPU time per call compared.

Everything runs on loopback addresses of 127/8: server .10, phone A .11, phone B .12, readiness check .13, second
caller .14, latency probe .15. The server has one core, SIPp and the probe another one. Standard library only.
"""
