"""Driver for Chinese identity card readers with a SAM_V module."""
