"""The Redis serialization protocol, both versions, without IO."""
