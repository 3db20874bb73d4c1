"""The audit: a chain of records that shows when somebody changed it."""
