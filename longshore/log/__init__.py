"""What every program writes into its log: one table of events, and the logger that takes nothing else."""
