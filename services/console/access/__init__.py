"""Access: who looks at a page, what they may do there, and how they prove who they are. It knows no HTTP."""
