"""The loop from a click to the next answer: gateway, events, worker and what they keep in Valkey."""
