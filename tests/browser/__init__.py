"""Real browsers: JsSIP in headless Chromium. Run by `make interop`."""
