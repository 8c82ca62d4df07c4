"""Sessions: from bytes to commands to bytes, for one client, without IO; and what all sessions share."""
