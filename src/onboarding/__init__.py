"""The reference application of the migration guide: its database, its credentials, its plan and a demo.

A separate package on top of pg2dynamo: pg2dynamo never imports it.
"""
