"""The `dotbus` command: demonstration, check, status, certificates. The one place that knows all services."""
