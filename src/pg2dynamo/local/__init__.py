"""Servers on this machine, for the demo and the tests: PostgreSQL and stand-ins for AWS.

Everything listens on 127.0.0.1 only, on free ports, and ends with the process that started it unless it is kept.
Nothing of the product proper may import this package.
"""
