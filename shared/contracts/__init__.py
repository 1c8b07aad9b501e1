"""The words the services share: pydantic models and nothing that does anything."""
