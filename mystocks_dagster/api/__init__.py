"""The REST interface, with authentication, request and response models."""
