"""The encoder of pg2dynamo in C: rows as COPY gives them into DynamoDB JSON, or left to Python.

pg2dynamo uses it when it is installed and of the protocol that pg2dynamo speaks (`mapping/native.py` there).
"""

from pg2dynamo_native._encoder import PROTOCOL, Encoder

__all__ = ["PROTOCOL", "Encoder"]
