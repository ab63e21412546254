"""The page: one file of HTML, plain ES modules, a style. No build, and nothing from elsewhere."""
