"""HTTP: metrics and health for everybody, the trace for this machine. All it shows is handed in by the service."""
