"""What lies between us and everybody else: whom TLS trusts, and what goes past the proxy.

Knows no settings and no environment: both are passed in.
"""
