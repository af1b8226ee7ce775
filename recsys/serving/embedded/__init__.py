"""The ensemble's stages inside Triton's own process, in place of a Python process for each model.

`backend.c` is a Triton backend that embeds Python, `build` compiles it, `host` is what it calls. A hop
between two models is then a function call: no shared memory, no waking of another process. What is given up
is the wall between models: a stage that crashes the interpreter ends the server.
"""
