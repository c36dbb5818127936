"""Messages to people about what needs them: to Slack, Teams, by mail, to any webhook."""
