"""Where messages wait: outlets gather them, inlets keep them in order, mailboxes hand them over."""
