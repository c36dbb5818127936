"""What keeps our programs running, whatever they do: process tree, trusted CAs, the Redis they wait for or bring."""
