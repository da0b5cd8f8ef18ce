"""The language server: what an editor shows of a protocol while it is being written.

`text` and `symbols` know the document, one file per feature asks them, `server` offers the
features to the editor, and `channel` carries the messages. Everything about the language itself
comes from the floor below; only `server`, `channel` and the features know the wire format.
"""
