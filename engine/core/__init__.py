"""The reducer: `step(state, input)` is the whole engine but for what awaits."""
