"""What keeps our programs running, whatever they do: the process tree, the CAs they trust, the Redis they wait for."""
