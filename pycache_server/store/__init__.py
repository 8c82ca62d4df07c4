"""The data: the keyspace and the types of value in it, without protocol, clock or IO."""
