"""Feature servers and their features. `README.md` beside this file says how to write one."""
