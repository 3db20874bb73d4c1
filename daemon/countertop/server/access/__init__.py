"""Access: who may do what. Grants give callers roles, roles allow methods, tokens prove who calls."""
