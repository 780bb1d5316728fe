"""Door 4, the office's: what the store holds, over HTTP. In this release it can only be read."""
