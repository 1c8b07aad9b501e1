"""Fixtures for all tests: the servers that the services need."""

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.s3"]
