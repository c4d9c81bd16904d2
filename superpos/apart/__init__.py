"""Methods that take networks apart, and what comes out of them. Chapter 16."""
