"""What a program says of itself to Prometheus and Kubernetes: its metrics, whether it makes progress, what it lacks."""
