"""Session Manager: registrar, challenging and record-routing proxy, event state compositor and notifier. It holds no call."""
